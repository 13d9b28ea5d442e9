"""python -m src.trace ID: the way of a row from its source to the students that read it.

ID, or its first digits, names a corpus row, a rejected or raw text, a teacher's problem, a prompt, a passage, a
prediction, a benchmark's question or a row of a fine-tuning set; for a prediction the corpus rows nearest to its
question are shown, for a passage what was written from it. The key of an artifact, as a log prints it, says what it
was made from and who used it. An id that several artifacts hold is told of the newest; of the others, what became of it
there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from src.cleaning.lineage import Lineage, Made, Row
from src.core.errors import UserError
from src.core.records import BASE

WIDTH, LINES = 96, 6
READINGS = 64  # of a row by one student: epochs, and pieces of a long one
Source = Generator[str, None, Made | None]  # an artifact to go on with, after the lines that there are to say


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m src.trace", description=__doc__.partition("\n\n")[0])
    parser.add_argument("id", help="a row's id or an artifact's key, or its first digits")
    parser.add_argument(
        "--outputs",
        type=Path,
        default=Path("outputs"),
        help="the folder that holds store/ and runs/; outputs=DIR means the same",
    )
    arguments = parser.parse_args([f"--{word}" if word.startswith("outputs=") else word for word in words])
    try:
        for line in trace(arguments.outputs.expanduser(), arguments.id):
            print(line)
        sys.stdout.flush()
    except UserError as error:
        raise SystemExit(str(error)) from None
    except BrokenPipeError:  # `| head` has seen enough; what is still buffered must not fail when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def trace(outputs: Path, id: str) -> Iterator[str]:
    """The lines to print. Raises UserError for an id that means no row, or several."""
    teller = _Teller(Lineage(outputs / "store"), outputs)
    if artifact := teller.lineage.artifact(id):
        yield from teller.artifact(artifact)
        return
    found = teller.lineage.find(id)
    tell, further = {
        "problems": (teller.problem, teller.readers),
        "rejections": (teller.rejection, teller.reason),
        "generations": (teller.generation, teller.outcomes),
        "prompts": (teller.prompt, teller.choices),
        "passages": (teller.source, teller.nothing),
        "predictions": (teller.prediction, teller.answer),
        "packs": (teller.read_row, teller.reader),
    }[found.place.table]
    (row, made), *others = found.holders
    yield from tell(row, made)
    told = made
    for row, made in others:
        if made is not told:
            yield f"also in {made.label}"
        yield from further(row, made)
        told = made


class _Teller:
    """For each sort of row a method that tells of it and hands on to the sort that it came from, and one that tells
    only what became of it, for the further artifacts that hold it."""

    def __init__(self, lineage: Lineage, outputs: Path):
        self.lineage, self.outputs = lineage, outputs

    def problem(self, row: Row, made: Made) -> Iterator[str]:
        names = {"clean": "corpus row", "distil": f"problem of the teacher {row['generator']}"}
        name = names.get(made.kind, f"problem of {row['generator']}")
        yield from _block(f"{name} {row['id']}", made, _facts(row, "stage", "kind", "answer"))
        yield from _text("question", row["question"])
        yield from _text("solution", row["solution"])
        source: Made | None = made
        if made.kind == "clean":
            source = yield from self._input(made, "generations")
            yield from self._checks(row, made, source)
        yield from self._prompt_of(row, source)
        yield from self.readers(row, made)

    def readers(self, row: Row, made: Made) -> Iterator[str]:
        """The students of a corpus, and the synthesizers that a teacher's problems taught."""
        students = self.lineage.users(made, "pretrain") + self.lineage.users(made, "synthesizer")
        for student in students:
            yield from self.reader(row, student)
        if not students:
            what = "synthesizer" if made.kind == "distil" else "student"
            yield f"  no {what} has read {made.label} yet"

    def reader(self, row: Row, student: Made) -> Iterator[str]:
        what = "student" if student.kind == "pretrain" else "synthesizer"
        yield f"read by a {what} ({student.label}), with {student.manifest['counts']['kept']:,} rows in all"
        yield from _packs(student, row["id"])
        for exam in self.lineage.users(student, "evaluate"):
            yield f"  which was examined in {exam.label}{self._runs(exam)}"

    def read_row(self, row: Row, made: Made) -> Iterator[str]:
        """A row that no corpus of the store holds, most often of a fine-tuning set."""
        yield f"row {row['id']} of {row['corpus']}, whose text the store does not hold"
        yield from self.reader(row, made)

    def rejection(self, row: Row, made: Made) -> Iterator[str]:
        yield f"rejected text {row['id']}  ({made.label})"
        yield from self.reason(row, made)
        source = yield from self._input(made, "generations")
        for text in source.rows("generations", [row["id"]], most=1) if source else ():
            yield from self.generation(text, source)  # type: ignore[arg-type]

    def reason(self, row: Row, made: Made) -> Iterator[str]:
        yield f"  reason {row['reason']}"
        if row["twin"]:
            yield from self._twin(row["twin"], made)

    def _twin(self, id: str, made: Made) -> Iterator[str]:
        """The row of this corpus, or of the teacher's problems beside it, that a text repeats."""
        names = sorted(name for name in made.manifest["inputs"] if name.startswith("distilled"))
        beside = [self.lineage.input(made, name) for name in names]
        for holder in (made, *(other for other in beside if other is not None)):
            for twin in holder.starting("problems", id, most=1):
                yield f"  it gave way to {twin['id']}  ({holder.label})"
                yield from _text("which asks", twin["question"])
                return
        gone = [name for name, other in zip(names, beside, strict=True) if other is None]
        other = f", perhaps of {' or '.join(gone)}, no longer in the store" if gone else " of the fine-tuning set"
        yield f"  it gave way to a question{other}"

    def generation(self, row: Row, made: Made) -> Iterator[str]:
        facts = _facts(row, "generator", "stage", "kind", "finish_reason", "tokens")
        yield from _block(f"raw text {row['id']}", made, facts)
        yield from _text("text", row["text"])
        yield from self.outcomes(row, made)
        yield from self._prompt_of(row, made)

    def outcomes(self, row: Row, made: Made) -> Iterator[str]:
        """What every cleaning made of a raw text."""
        for cleaned in self.lineage.users(made, "clean"):
            for facts in cleaned.rows("facts", [row["id"]], column="generation_id", most=1):
                yield f"  became corpus row {facts['id']} ({cleaned.label})"
            for left in cleaned.rows("rejections", [row["id"]], most=1):
                yield f"  was left out: {left['reason']} ({cleaned.label})"

    def prompt(self, row: Row, made: Made) -> Iterator[str]:
        yield from _block(f"prompt {row['id']}", made, _facts(row, "stage", "kind"))
        yield from _text("text", row["text"])
        yield from self.choices(row, made)
        source = yield from self._origin(made, "passages")
        for passage in source.rows("passages", [row["passage_id"]], most=1) if source else ():
            yield from self.passage(passage, source)  # type: ignore[arg-type]

    def choices(self, row: Row, made: Made) -> Iterator[str]:
        """What the selections made of a prompt, those among whose candidates it was."""
        for select in self.lineage.users(made, "select"):
            scores = select.rows("scores", [row["id"]])
            for score in scores:
                yield f"  scored {score['value']:.4g} for {score['target']} ({select.label})"
            if select.rows("prompts", [row["id"]], most=1):
                yield f"  chosen for the teacher's second round ({select.label})"
                continue
            drafts = yield from self._input(select, "candidates")
            if scores or (drafts and drafts.rows("generations", [row["id"]], column="prompt_id", most=1)):
                yield f"  not chosen for the teacher's second round ({select.label})"

    def passage(self, row: Row, made: Made) -> Iterator[str]:
        meta = {name: value for name, value in json.loads(row["meta"]).items() if value}
        yield from _block(f"passage {row['id']}", made, {"source": row["source"], **meta})
        yield from _text("text", row["text"])

    def source(self, row: Row, made: Made) -> Iterator[str]:
        """A passage, and all that was written from it."""
        yield from self.passage(row, made)
        written = list(self.written(row["id"]))
        yield from written or ["  nothing was written from it"]

    def written(self, passage: str) -> Iterator[str]:
        """The teacher's problems about a passage, and what became of the synthesizer's texts about it."""
        for taught in self.lineage.of_kind("distil"):
            for row in taught.rows("problems", [passage], column="passage_id"):
                yield f"  became the teacher's problem {row['id']} ({taught.label}): {_short(row['question'])}"
        for wrote in self.lineage.of_kind("generate"):
            for row in wrote.rows("generations", [passage], column="passage_id"):
                yield f"  became the raw text {row['id']} ({wrote.label}), which"
                yield from (f"  {line}" for line in self.outcomes(row, wrote))

    def nothing(self, row: Row, made: Made) -> Iterator[str]:
        """Of a passage all is said the first time: what was written from it is looked for in every artifact."""
        return iter(())

    def artifact(self, made: Made) -> Iterator[str]:
        """A whole artifact: what went in, where it came from, who used it."""
        counts = made.manifest["counts"]
        yield f"{made.label}  ({counts['kept']:,} of {counts['in']:,} rows kept, {made.manifest['started']})"
        for name in made.manifest["inputs"]:
            source = yield from self._input(made, name)
            yield from [f"  made from {name}: {source.label}"] if source else []
        for other in self.lineage.made.values():
            if made.path.name in other.manifest["inputs"].values():
                yield f"  used by {other.label}"
        yield f"  in {made.path}{self._runs(made)}"

    def prediction(self, row: Row, made: Made) -> Iterator[str]:
        yield f"{row['benchmark']} {row['question_id']}"
        yield from _text("asked", row["prompt"])
        yield from self.answer(row, made)
        if row["model"] == BASE:  # it has read no corpus
            return
        student = yield from self._input(made, "pretrain")
        for name in sorted(student.manifest["inputs"]) if student else ():
            corpus = yield from self._input(student, name)  # type: ignore[arg-type]
            if corpus is not None and corpus.kind == "clean":
                yield f"nearest rows of its corpus ({corpus.label})"
                question = row["prompt"].rpartition("## Question\n")[2].partition("\n\n## ")[0]
                nearest = self.lineage.nearest(corpus, question)
                for alike, near in nearest:
                    yield f"  {alike:.2f}  {near['id']}  {_short(near['question'])}"
                if not nearest:
                    yield "  none: no row shares a run of words with the question"

    def answer(self, row: Row, made: Made) -> Iterator[str]:
        """What one model wrote in one evaluation."""
        facts = {"gold": row["gold"], "right": f"{sum(row['verdict'])} of {len(row['verdict'])}"}
        yield f"{row['model']}'s answers {row['id']}  ({made.label}{self._runs(made)})"
        yield _line(facts)
        yield from _text("answered", row["samples"][0] if row["samples"] else "")

    def _checks(self, row: Row, made: Made, source: Made | None) -> Iterator[str]:
        """What it went through to stay, and the text that it was made of."""
        checked = made.path / "checked.json"
        with made.readable(checked):
            names = json.loads(checked.read_text(encoding="utf-8"))["benchmarks"] if checked.exists() else []
        for facts in made.rows("facts", [row["id"]], most=1):
            yield f"  answer {facts['verdict']}; topic {facts['topic']}; weight {facts['weight']:.3g}"
            compared = f"no question of {', '.join(names)}" if names else "compared with no benchmark"
            yield f"  passed all rules; {compared}"
            for text in source.rows("generations", [facts["generation_id"]], most=1) if source else ():
                about = _facts(text, "generator", "finish_reason", "tokens")
                yield from _block(f"raw text {text['id']}", source, about)  # type: ignore[arg-type]

    def _prompt_of(self, row: Row, made: Made | None) -> Iterator[str]:
        """The writer's upbringing, then the prompt."""
        if made is None:
            return
        yield from self._writer(row, made)
        prompts = yield from self._origin(made, "prompts")
        for prompt in prompts.rows("prompts", [row["prompt_id"]], most=1) if prompts else ():
            yield from self.prompt(prompt, prompts)  # type: ignore[arg-type]

    def _writer(self, row: Row, made: Made) -> Iterator[str]:
        writer = yield from self._input(made, "synthesizer")
        if writer is None:
            return
        yield from _block("written by a synthesizer", writer, {})
        for name in sorted(writer.manifest["inputs"].keys() - {"prompts"}):
            taught = yield from self._input(writer, name)
            if taught is None:
                continue
            yield f"  taught by {taught.manifest['counts']['kept']:,} answers of a teacher ({taught.label})"
            for problem in taught.rows("problems", [row["passage_id"]], column="passage_id", most=3):
                yield f"    one about the same passage: {problem['id']}  {_short(problem['question'])}"

    def _origin(self, made: Made, name: str) -> Source:
        """The nearest artifact that holds that table: this one, or further up through the inputs of that name where
        there are such, else through all."""
        wave = [made]
        while wave and not any(source.has(name) for source in wave):
            above: dict[Path, Made] = {}
            for source in wave:
                inputs = source.manifest["inputs"]
                for each in [name] if name in inputs else sorted(inputs):
                    found = yield from self._input(source, each)
                    above |= {found.path: found} if found is not None else {}
            wave = list(above.values())
        return next((source for source in wave if source.has(name)), None)

    def _input(self, made: Made, name: str) -> Source:
        """What fed an artifact under that name; a line where it was removed."""
        source = self.lineage.input(made, name)
        if source is None and name in made.manifest["inputs"]:
            yield f"{name} of {made.label}: no longer in the store"
        return source

    def _runs(self, made: Made) -> str:
        names = []
        for path in sorted((self.outputs / "runs").glob("*/*/run.json")):
            if made.path.name in path.read_text(encoding="utf-8", errors="replace"):
                names.append(f"{path.parent.parent.name}/{path.parent.name}")
        return f", in {', '.join(names)}" if names else ""


def _packs(student: Made, id: str) -> Iterator[str]:
    """The packed sequences in which a student read the row; a synthesizer keeps no account of them."""
    if not (student.path / "packs").is_dir():
        return
    readings = sorted(student.rows("packs", [id], most=READINGS), key=lambda r: (r["sequence"], r["start"]))
    for r in readings:
        phase = f", phase {r['phase']}" if r["phase"] is not None else ""
        place = f"from token {r['start']:,} on, {r['tokens']:,} tokens"
        yield f"  in epoch {r['epoch']}{phase}, step {r['step']:,}: sequence {r['sequence']:,}, {place}"
    if not readings:
        yield "  in none of its sequences: held out, unfit, or beyond what it had time for"


def _facts(row: Row, *names: str) -> dict[str, Any]:
    return {name.replace("_", " "): row[name] for name in names if row[name] is not None}


def _block(title: str, made: Made, facts: dict[str, Any]) -> Iterator[str]:
    yield f"{title}  ({made.label})"
    if facts:
        yield _line(facts)


def _line(facts: dict[str, Any]) -> str:
    return f"  {'; '.join(f'{name} {value}' for name, value in facts.items())}"


def _text(name: str, text: str) -> Iterator[str]:
    lines = [piece for line in text.strip().split("\n") for piece in textwrap.wrap(line, WIDTH) or [""]]
    shown = lines if len(lines) <= LINES else [*lines[: LINES - 1], "[...]"]
    yield f"  {name}:"
    yield from (f"    {line}" for line in shown)


def _short(text: str) -> str:
    return textwrap.shorten(text, 80, placeholder=" ...")


if __name__ == "__main__":
    main(sys.argv[1:])

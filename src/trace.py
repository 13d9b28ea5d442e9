"""python -m src.trace ID: the way of a row from its source to the students that read it.

ID, or its first digits, names a corpus row, a rejected or raw text, a teacher's problem, a prompt, a passage or a
prediction; for a prediction the corpus rows nearest to its question are shown.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.cleaning.lineage import Found, Lineage, Made, Row
from src.core.errors import UserError

WIDTH, LINES = 96, 6
READINGS = 64  # of a row by one student: epochs, and pieces of a long one


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m src.trace", description=__doc__.partition("\n\n")[0])
    parser.add_argument("id", help="an id, or its first digits")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="the folder that holds store/ and runs/")
    arguments = parser.parse_args(words)
    try:
        for line in trace(arguments.outputs, arguments.id):
            print(line)
    except UserError as error:
        raise SystemExit(str(error)) from None


def trace(outputs: Path, id: str) -> Iterator[str]:
    """The lines to print. Raises UserError for an id that means no row, or several."""
    teller = _Teller(Lineage(outputs / "store"), outputs)
    found = teller.lineage.find(id)
    tell = {
        "problems": teller.problem,
        "rejections": teller.rejection,
        "generations": teller.generation,
        "prompts": teller.prompt,
        "passages": teller.passage,
        "predictions": teller.prediction,
    }[found.table]
    yield from tell(found.row, found.holders[0])
    yield from _also(found)


class _Teller:
    """One method for each sort of row; each hands on to the sort that it came from."""

    def __init__(self, lineage: Lineage, outputs: Path):
        self.lineage, self.outputs = lineage, outputs

    def problem(self, row: Row, made: Made) -> Iterator[str]:
        name = "corpus row" if made.kind == "clean" else f"problem of the teacher {row['generator']}"
        yield from _block(f"{name} {row['id']}", made, _facts(row, "stage", "kind", "answer"))
        yield from _text("question", row["question"])
        yield from _text("solution", row["solution"])
        if made.kind == "clean":
            yield from self._checks(row, made)
        yield from self._prompt_of(row, made if made.kind == "distil" else self.lineage.input(made, "generations"))
        yield from self._readers(made, row["id"])

    def rejection(self, row: Row, made: Made) -> Iterator[str]:
        yield from _block(f"rejected text {row['id']}", made, {"reason": row["reason"]})
        if row["twin"]:
            yield from self._twin(row["twin"], made)
        yield from self._generation_of(row["id"], self.lineage.input(made, "generations"))

    def _twin(self, id: str, made: Made) -> Iterator[str]:
        """The row of this corpus, or of the teacher's problems beside it, that a text repeats."""
        beside = (self.lineage.input(made, name) for name in sorted(made.manifest["inputs"]))
        for holder in (made, *(other for other in beside if other is not None)):
            for twin in holder.starting("problems", id, most=1):
                yield f"  it gave way to {twin['id']}  ({holder.label})"
                yield from _text("which asks", twin["question"])
                return
        yield "  it gave way to a question of the fine-tuning set"

    def generation(self, row: Row, made: Made) -> Iterator[str]:
        facts = _facts(row, "generator", "stage", "kind", "finish_reason", "tokens")
        yield from _block(f"raw text {row['id']}", made, facts)
        yield from _text("text", row["text"])
        for cleaned in self.lineage.users(made, "clean"):
            for facts in cleaned.rows("facts", [row["id"]], column="generation_id", most=1):
                yield f"  became corpus row {facts['id']} ({cleaned.label})"
            for left in cleaned.rows("rejections", [row["id"]], most=1):
                yield f"  was left out: {left['reason']} ({cleaned.label})"
        yield from self._prompt_of(row, made)

    def prompt(self, row: Row, made: Made) -> Iterator[str]:
        yield from _block(f"prompt {row['id']}", made, _facts(row, "stage", "kind"))
        yield from _text("text", row["text"])
        for select in self.lineage.users(made, "select"):
            for score in select.rows("scores", [row["id"]]):
                yield f"  scored {score['value']:.4g} for {score['target']} ({select.label})"
            chosen = bool(select.rows("prompts", [row["id"]], most=1))
            yield f"  {'chosen' if chosen else 'not chosen'} for the teacher's second round ({select.label})"
        source = self.lineage.input(made, "passages") or self._origin(made, "passages")
        for passage in source.rows("passages", [row["passage_id"]], most=1) if source else ():
            yield from self.passage(passage, source)  # type: ignore[arg-type]

    def passage(self, row: Row, made: Made) -> Iterator[str]:
        meta = {name: value for name, value in json.loads(row["meta"]).items() if value}
        yield from _block(f"passage {row['id']}", made, {"source": row["source"], **meta})
        yield from _text("text", row["text"])

    def prediction(self, row: Row, made: Made) -> Iterator[str]:
        facts = {"gold": row["gold"], "right": f"{sum(row['verdict'])} of {len(row['verdict'])}"}
        yield from _block(f"{row['model']}'s answers to {row['benchmark']} {row['question_id']}", made, facts)
        yield from _text("asked", row["prompt"])
        yield from _text("answered", row["samples"][0] if row["samples"] else "")
        student = self.lineage.input(made, "pretrain")
        corpora = (self.lineage.made.get(key) for key in student.manifest["inputs"].values()) if student else ()
        for corpus in corpora:
            if corpus is not None and corpus.kind == "clean":
                yield f"nearest rows of its corpus ({corpus.label})"
                question = row["prompt"].rpartition("## Question\n")[2].partition("\n\n## ")[0]
                for alike, near in self.lineage.nearest(corpus, question):
                    yield f"  {alike:.2f}  {near['id']}  {_short(near['question'])}"

    def _checks(self, row: Row, made: Made) -> Iterator[str]:
        """What it went through to stay, and the text that it was made of."""
        checked = made.path / "checked.json"
        names = json.loads(checked.read_text())["benchmarks"] if checked.exists() else []
        for facts in made.rows("facts", [row["id"]], most=1):
            yield f"  answer {facts['verdict']}; topic {facts['topic']}; weight {facts['weight']:.3g}"
            compared = f"no question of {', '.join(names)}" if names else "compared with no benchmark"
            yield f"  passed all rules; {compared}"
            yield from self._raw(facts["generation_id"], self.lineage.input(made, "generations"))

    def _raw(self, id: str, made: Made | None) -> Iterator[str]:
        for text in made.rows("generations", [id], most=1) if made else ():
            facts = _facts(text, "generator", "finish_reason", "tokens")
            yield from _block(f"raw text {id}", made, facts)  # type: ignore[arg-type]

    def _generation_of(self, id: str, made: Made | None) -> Iterator[str]:
        for text in made.rows("generations", [id], most=1) if made else ():
            yield from self.generation(text, made)  # type: ignore[arg-type]

    def _prompt_of(self, row: Row, made: Made | None) -> Iterator[str]:
        """The writer's upbringing, then the prompt."""
        if made is None:
            return
        yield from self._writer(row, made)
        prompts = self._origin(made, "prompts")
        for prompt in prompts.rows("prompts", [row["prompt_id"]], most=1) if prompts else ():
            yield from self.prompt(prompt, prompts)  # type: ignore[arg-type]

    def _writer(self, row: Row, made: Made) -> Iterator[str]:
        writer = self.lineage.input(made, "synthesizer")
        if writer is None:
            return
        yield from _block("written by a synthesizer", writer, {})
        for name in sorted(writer.manifest["inputs"]):
            taught = self.lineage.input(writer, name)
            if taught is None or taught.kind != "distil":
                continue
            yield f"  taught by {taught.manifest['counts']['kept']:,} answers of a teacher ({taught.label})"
            for problem in taught.rows("problems", [row["passage_id"]], column="passage_id", most=3):
                yield f"    one about the same passage: {problem['id']}  {_short(problem['question'])}"

    def _origin(self, made: Made, name: str) -> Made | None:
        """The input of that name; where a selection stands between, what it selected from."""
        source = self.lineage.input(made, name)
        while source is not None and source.kind == "select":
            source = self.lineage.input(source, name)
        return source

    def _readers(self, made: Made, id: str) -> Iterator[str]:
        for student in self.lineage.users(made, "pretrain" if made.kind == "clean" else "synthesizer"):
            facts = student.manifest["counts"]
            what = "student" if student.kind == "pretrain" else "synthesizer"
            yield f"read by a {what} ({student.label}), with {facts['kept']:,} rows in all"
            yield from _packs(student, id)
            for exam in self.lineage.users(student, "evaluate"):
                yield f"  which was examined in {exam.label}{self._runs(exam)}"

    def _runs(self, made: Made) -> str:
        names = []
        for path in sorted((self.outputs / "runs").glob("*/*/run.json")):
            if made.path.name in path.read_text(encoding="utf-8"):
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


def _also(found: Found) -> Iterator[str]:
    if len(found.holders) > 1:
        yield f"also in {', '.join(made.label for made in found.holders[1:])}"


def _facts(row: Row, *names: str) -> dict[str, Any]:
    return {name.replace("_", " "): row[name] for name in names if row[name] is not None}


def _block(title: str, made: Made, facts: dict[str, Any]) -> Iterator[str]:
    yield f"{title}  ({made.label})"
    if facts:
        yield f"  {'; '.join(f'{name} {value}' for name, value in facts.items())}"


def _text(name: str, text: str) -> Iterator[str]:
    lines = [piece for line in text.strip().split("\n") for piece in textwrap.wrap(line, WIDTH) or [""]]
    shown = lines if len(lines) <= LINES else [*lines[: LINES - 1], "[...]"]
    yield f"  {name}:"
    yield from (f"    {line}" for line in shown)


def _short(text: str) -> str:
    return textwrap.shorten(text, 80, placeholder=" ...")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a stage made of the user's own rows, as JSON Lines that say of each row where it stands in the user's files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from src.core.stage import Artifact
from src.reporting.text import percent, plural
from src.text.parsing import ParsedProblem, parse_generation

Line = dict[str, Any]
BAD_ROWS = "bad_rows.jsonl"
TWIN_DIGITS = 16  # of a problem's id, by which a rejected row names the one that it repeats
OF_THE_STORE = {"prompt_id", "passage_id", "generation_id", "generator", "round"}


def write_lines(made: Sequence[Artifact], folder: Path) -> Iterator[Path]:
    """Write the results of the last artifact into `folder`; yield the files. Another one holds the user's rows; what
    of their lines could not be read is told beside the results."""
    rows_of_user = next(each for each in made if _kind(each) == "rows")
    places = {row["id"]: json.loads(row["meta"])["place"] for row in _table(rows_of_user.path / "passages")}
    result = made[-1]
    folder.mkdir(parents=True, exist_ok=True)
    for file, rows in RESULTS[_kind(result)](result.path):
        path = folder / file
        with path.open("w", encoding="utf-8") as out:
            for row in rows:
                if "twin" in row:
                    row["twin"] = places.get(row["twin"], row["twin"])
                out.write(json.dumps({"place": places.get(row["id"]), **row}, ensure_ascii=False) + "\n")
        yield path
    if unread := (rows_of_user.path / BAD_ROWS).read_bytes():
        (folder / BAD_ROWS).write_bytes(unread)
        yield folder / BAD_ROWS
    if (result.path / "model").is_dir():
        yield result.path / "model"


def accuracy_lines(result: Artifact) -> Iterator[str]:
    """How many of the user's answers are right, a line a file; none where no answers were graded."""
    if _kind(result) == "evaluate":
        for row in json.loads((result.path / "accuracy.json").read_text(encoding="utf-8")):
            right, low, high = (percent(row[name]) for name in ("accuracy", "low", "high"))
            answers = plural(row["n"], "answer")
            yield f"{row['benchmark']}: {right} % of {answers} are right (95 % interval {low} to {high})"


def reason_lines(result: Artifact) -> Iterator[str]:
    """How many of the rows were left out, and for which reasons, the commonest first; no line where none was."""
    reasons = Counter(result.manifest["counts"]["rejected"])
    if reasons:
        told = ", ".join(
            f"{n:,} {reason}" for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        )
        yield f"{plural(reasons.total(), 'row')} left out: {told}"


def _kind(artifact: Artifact) -> str:
    return artifact.path.parent.name


def _clean(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    facts = {row["id"]: row for row in _table(path / "facts")}
    rows = ({**row, **facts[row["id"]], "id": row["prompt_id"]} for row in _table(path / "problems"))
    yield "kept.jsonl", ({name: value for name, value in row.items() if name not in OF_THE_STORE} for row in rows)
    read_as = {row["id"][:TWIN_DIGITS]: row["prompt_id"] for row in _table(path / "problems")}
    yield (
        "left_out.jsonl",
        (
            {"id": row["id"], "reason": row["reason"], "twin": read_as.get(row["twin"], row["twin"])}
            for row in _table(path / "rejections")
        ),
    )


def _practices(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    rows = _table(path / "practices")
    yield (
        "key_points.jsonl",
        ({"id": r["problem_id"], "topic": r["topic"], "key_points": r["key_points"]} for r in rows),
    )


def _consensus(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    """New problems; their place is that of the first problem whose key points they practise."""
    read = ((row["passage_id"], parse_generation(row["text"], row["kind"])) for row in _texts(path))
    solved = ((id, problem) for id, problem in read if isinstance(problem, ParsedProblem))
    yield (
        "problems.jsonl",
        ({"id": id, "question": p.question, "solution": p.solution, "answer": p.answer} for id, p in solved),
    )


def _select(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    chosen = {row["id"] for row in _table(path / "prompts")}
    scores: dict[str, Line] = {}
    for row in _table(path / "scores"):
        scores.setdefault(row["id"], {"id": row["id"]})[row["target"]] = row["value"]
    ranked = sorted(scores.values(), key=lambda row: (-row["overall"], row["id"]))
    yield "ranking.jsonl", ({"rank": n, **row, "chosen": row["id"] in chosen} for n, row in enumerate(ranked, 1))
    yield "skipped.jsonl", (json.loads(line) for line in (path / "skipped.jsonl").open(encoding="utf-8"))


def _generate(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    kept = ("stage", "kind", "text", "finish_reason", "tokens", "generator")
    yield "texts.jsonl", ({"id": row["prompt_id"], **{name: row[name] for name in kept}} for row in _texts(path))


def _texts(path: Path) -> Iterator[Line]:
    return _table(path / "generations")


def _pretrain(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    yield "packs.jsonl", _table(path / "packs")


def _evaluate(path: Path) -> Iterator[tuple[str, Iterator[Line]]]:
    yield (
        "graded.jsonl",
        (
            {
                "id": row["id"],
                "correct": row["verdict"][0],
                "reason": row["reasons"][0],
                "gold": row["gold"],
                "extracted": row["extracted"][0],
                "prediction": row["samples"][0],
            }
            for row in _table(path / "predictions")
        ),
    )


RESULTS = {
    "clean": _clean,
    "key_points": _practices,
    "topics": _practices,
    "consensus": _consensus,
    "select": _select,
    "generate": _generate,
    "pretrain": _pretrain,
    "evaluate": _evaluate,
}


def _table(folder: Path) -> Iterator[Line]:
    for shard in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(shard).iter_batches():
            yield from batch.to_pylist()

"""Evaluations outside a run, to read: the table of one, and a page that ranks them all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from src.core.stage import Artifact
from src.core.store import write_text
from src.reporting.decodings import cut_off_words, decoding_words
from src.reporting.page import template
from src.reporting.table import Cell, Column, Table
from src.reporting.text import duration, interval, number, percent, short

SAMPLE_FIGURES = ("pass@", "maj@")


def table(folder: Path) -> str:
    """An evaluation as Markdown, each accuracy with its 95 % interval over questions. (Subjects: `accuracy.json`.)

    "seeds" is the interval over other draws of the same questions, where there are several samples; "timeouts" counts
    the answers that the grader gave up on, which count as wrong. The last row is the mean of the benchmarks.
    """
    rows = _rows(folder)
    speeds = json.loads((folder / "conditions.json").read_text(encoding="utf-8"))["speed"]
    seconds = {speed["benchmark"]: speed["seconds_per_question"] for speed in speeds}
    figures = _sample_figures(rows)
    seeds = ["seeds"] if figures else []
    names = [
        "benchmark",
        "group",
        "questions",
        "accuracy %",
        "95 % interval",
        *seeds,
        *(f"{name} %" for name in figures),
    ]
    lines = [f"| {' | '.join((*names, 'timeouts', 'finished %', 'tokens', 'seconds'))} |"]
    lines.append("|---|---|" + "--:|" * (len(names) + 2))
    for row in rows:
        drawn = [interval(row["low_over_seeds"], row["high_over_seeds"])] if figures else []
        cells = [row["benchmark"], row["group"], number(row["n"]), percent(row["accuracy"])]
        cells += [interval(row["low"], row["high"]), *drawn, *(percent(row[name]) for name in figures)]
        cells += [number(row["timeouts"]), f"{100 * row['finished']:.0f}", f"{row['mean_tokens']:.0f}"]
        cells.append(f"{seconds[row['benchmark']]:.2g}" if row["group"] == "all" else "")
        lines.append(f"| {' | '.join(cells)} |")
    if len(whole := [row for row in rows if row["group"] == "all"]) > 1:
        mean = [percent(sum(row[name] for row in whole) / len(whole)) for name in ("accuracy", *figures)]
        empty = [""] * (len(names) - 4 - len(figures))
        cells = ["**mean**", "", number(sum(row["n"] for row in whole)), mean[0], *empty, *mean[1:], "", "", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *_decoded(folder), *_remarks(Artifact(folder))])


def _decoded(folder: Path) -> list[str]:
    """What a decoding that chooses among candidates took, and what the best choice would have solved."""
    words = decoding_words(Artifact(folder).manifest["config"])
    return [_decoded_line(row, words) for row in _compute(folder)] if words else []


def _compute(folder: Path) -> list[dict[str, Any]]:
    path = folder / "compute.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def _decoded_line(row: dict[str, Any], words: str) -> str:
    each = {name: row[f"{name}_tokens"] / row["questions"] for name in ("generated", "scored")}
    flops = f", {row['flops'] / row['questions']:.2g} FLOPs" if row["flops"] is not None else ""
    took = f"{number(each['generated'])} tokens written and {number(each['scored'])} scored a question{flops}"
    return (
        f"{row['benchmark']}: {words}, {took}; "
        f"a right answer was among the candidates for {percent(row['oracle'])} % of the questions."
    )


def write_leaderboard(folder: Path, evaluations: Mapping[str, Artifact]) -> Path:
    """`index.html`: every evaluation, the best mean first, with what it cost. Returns its path."""
    page = template("leaderboard.html").render(
        table=leaderboard(evaluations),
        remarks=[f"{name}: {line}" for name, made in evaluations.items() for line in _remarks(made)],
    )
    return write_text(folder / "index.html", page)


def leaderboard(evaluations: Mapping[str, Artifact]) -> Table:
    """Ranked by the mean over an evaluation's own benchmarks: rows with other benchmarks do not compare."""
    whole = {name: [row for row in _rows(made.path) if row["group"] == "all"] for name, made in evaluations.items()}
    benchmarks = list(dict.fromkeys(row["benchmark"] for rows in whole.values() for row in rows))
    means = {name: sum(row["accuracy"] for row in rows) / len(rows) for name, rows in whole.items()}
    body = []
    for name in sorted(means, key=lambda name: -means[name]):
        by_benchmark = {row["benchmark"]: row for row in whole[name]}
        cells = [
            Cell(name),
            Cell(whole[name][-1]["model"]),
            Cell(asked(evaluations[name])),
            Cell(percent(means[name])),
        ]
        cells += [_accuracy(by_benchmark.get(benchmark)) for benchmark in benchmarks]
        body.append((*cells, *_cost(evaluations[name])))
    words = ("Evaluation", "Model", "Asked")
    costs = ("Tokens written", "Time", "Dollars")
    columns = [Column(word, numeric=False) for word in words] + [Column("Mean %")]
    columns += [Column(f"{name} %") for name in benchmarks] + [Column(word) for word in costs]
    note = "Beside each accuracy its 95 % interval over questions. Dollars: as if no answer had been in the cache."
    return Table(tuple(columns), tuple(body), note)


def _accuracy(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("")
    more = [f"{name} {percent(row[name])}" for name in _sample_figures([row])]
    return Cell(percent(row["accuracy"]), ", ".join((interval(row["low"], row["high"]), *more)))


def asked(made: Artifact) -> str:
    """How the questions were put, as far as it says something: the style, samples, the decoding, a part of them."""
    config = made.manifest["config"]
    styles = dict.fromkeys(b["style"] or config["prompting"] for b in config["benchmarks"].values())
    parts = ["/".join(styles)]
    parts += [f"{config['samples']} samples at {config['temperature']}"] if config.get("samples", 1) > 1 else []
    parts += filter(None, [decoding_words(config)])
    some = {
        f"{name} {b[name]}"
        for b in config["benchmarks"].values()
        for name in ("every", "limit")
        if b[name] not in (None, 1)
    }
    return ", ".join((*parts, *sorted(some)))


def _cost(made: Artifact) -> tuple[Cell, ...]:
    metrics = made.manifest["metrics"]
    dollars = metrics.get("dollars")
    tokens = Cell(short(metrics["completion_tokens"]) if "completion_tokens" in metrics else "")
    return tokens, Cell(duration(made.manifest["seconds"])), Cell("" if dollars is None else f"{dollars:,.2f}")


def _remarks(made: Artifact) -> list[str]:
    """What a reader must not miss: answers that are no verdicts, questions of which a decoding got no complete answer,
    and programs that ran without isolation."""
    counts = made.manifest["counts"]
    found = [f"{n:,} of {counts['in']:,} answers: {reason}" for reason, n in counts["failed"].items()]
    if decoding_words(made.manifest["config"]) and (words := cut_off_words(_compute(made.path))):
        found.append(f"No complete answer: {words}.")
    if ran := int(made.manifest["metrics"].get("programs_unisolated", 0)):
        found.append(f"{ran:,} programs that the model wrote ran without isolation (programs=unisolated).")
    return found


def _rows(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "accuracy.json").read_text(encoding="utf-8"))
    return [row for row in rows if not row["group"].startswith("subject:")]


def _sample_figures(rows: list[dict[str, Any]]) -> list[str]:
    """pass@k and maj@k, in the order of k."""
    return list(dict.fromkeys(name for row in rows for name in row if name.startswith(SAMPLE_FIGURES)))

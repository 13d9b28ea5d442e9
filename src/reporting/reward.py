"""What a run's process reward model is worth on steps that it has not seen: ROC, calibration, planted errors."""

from __future__ import annotations

import json
from typing import Any

from src.reporting.collect import JobRecord, Manifest
from src.reporting.plots import FIRST, QUIET, SERIES, Plot, figure, themed
from src.reporting.table import EMPTY_TABLE, Cell, Column, Table
from src.reporting.text import number, percent

TOLD = {
    "own": "its own steps",
    "planted": "planted errors",
    "own_by_likelihood": "its own steps, by the likelihood that the model gives them",
    "planted_by_likelihood": "planted errors, by likelihood",
}


def reward_table(job: JobRecord | None) -> Table:
    """One line a set of steps."""
    manifest, report = _report(job)
    if not report or manifest is None:
        return EMPTY_TABLE
    at = (manifest,)
    rows = []
    for name, found in report.items():
        cells = [Cell(TOLD.get(name, name)), Cell(number(found["n"])), Cell(number(found["good"]))]
        auc = f"{found['auc']:.3f}" if "auc" in found else ""
        cells += [Cell(auc, "", at), Cell(_share(found, "ece")), Cell(_share(found, "pairs"))]
        rows.append(tuple(cells))
    columns = [Column("Held-out steps", numeric=False), *map(Column, ("Steps", "Good", "AUC", "ECE %", "Pairs %"))]
    note = (
        "AUC: the chance that a good step has a higher reward than a bad one. ECE: the mean distance between reward "
        "and the share of continuations that came right. Pairs: a good step has a higher reward than one with an error "
        "behind the same steps. Empty where all steps are good, or none is."
    )
    return Table(tuple(columns), tuple(rows), note)


def reward_plots(job: JobRecord | None) -> list[Plot]:
    manifest, report = _report(job)
    if not report or manifest is None:
        return []
    ranked = {name: found for name, found in report.items() if "roc" in found}
    plots = [_roc(ranked, manifest)] if ranked else []
    return [*plots, _calibration(report["own"], manifest)] if report.get("own", {}).get("calibration") else plots


def _roc(report: dict[str, Any], manifest: Manifest) -> Plot:
    with figure(2.6) as drawn:
        axes = drawn.subplots()
        axes.plot([0, 100], [0, 100], color=QUIET, linewidth=0.8)
        for (name, found), colour in zip(report.items(), SERIES, strict=False):
            xs, ys = zip(*found["roc"], strict=True)
            axes.plot([100 * x for x in xs], [100 * y for y in ys], color=colour, label=TOLD.get(name, name))
        axes.set_xlabel("bad steps let through, %")
        axes.set_ylabel("good steps kept, %")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        svg = themed(drawn, "reward-roc")
    caption = "Steps of questions that the reward model has not seen, by falling threshold."
    return Plot("reward-roc", "Telling good steps from bad ones", caption, svg, (manifest,))


def _calibration(found: dict[str, Any], manifest: Manifest) -> Plot:
    rows = found["calibration"]
    with figure(2.6) as drawn:
        axes = drawn.subplots()
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
        axes.plot([row["reward"] for row in rows], [row["share"] for row in rows], "o-", color=FIRST)
        for row in rows:
            axes.annotate(number(row["n"]), (row["reward"], row["share"]), (4, 4), textcoords="offset points")
        axes.set_xlabel("reward")
        axes.set_ylabel("continuations that came right")
        svg = themed(drawn, "reward-calibration")
    caption = "Its own held-out steps by tenths of the reward; beside each point the number of steps."
    return Plot("reward-calibration", "Reward and outcome", caption, svg, (manifest,))


def _report(job: JobRecord | None) -> tuple[Manifest | None, dict[str, Any]]:
    manifest = job.manifest("reward") if job else None
    path = manifest.path / "report.json" if manifest else None
    return manifest, json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}


def _share(found: dict[str, Any], name: str) -> str:
    return percent(found[name]) if name in found else ""

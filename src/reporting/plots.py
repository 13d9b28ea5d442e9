"""The figures, as SVG that takes its colours from the page: one drawing serves light, dark and print.

Matplotlib draws with the light palette; `themed` then turns each colour into a CSS variable of the same meaning.
Colours are Okabe & Ito's, told apart under every common colour blindness; fills also differ in lightness. Figures are
440 px wide, so that their 12 px lettering stays legible on a phone; the page puts two in a row where there is room.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from src.core.records import BASE, STUDENT
from src.reporting.collect import Accuracy, Arm, JobRecord, Manifest, Study, read_curve
from src.reporting.outcomes import arm_accuracy, benchmarks, primary
from src.reporting.tables import stage_rank
from src.reporting.text import duration, number, percent, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bar = tuple[float, float, float]  # mean, low, high
Group = tuple[str, Sequence[Bar | None]]

WIDTH = 4.4 * 100  # CSS pixels; matplotlib counts 100 to the inch below
INK, QUIET, RULE, PAPER = "#1c1e21", "#5b616a", "#d9dbde", "#fdfdfc"
FIRST, SECOND, PALE, LOST = "#0072b2", "#e69f00", "#b9c0c7", "#d55e00"
SERIES = (FIRST, SECOND, "#009e73", "#cc79a7", "#56b4e9", LOST, "#8a7a00", "#6b6f76")
_VARIABLES = {
    INK: "ink",
    QUIET: "quiet",
    RULE: "rule",
    PAPER: "paper",
    PALE: "pale",
    **{colour: f"series-{i}" for i, colour in enumerate(SERIES)},
}
MOST_ARMS = 4  # beside each other under every benchmark; of more, the table tells
MOST_POINTS = 300  # of a loss curve; more cannot be seen at this width


@dataclass(frozen=True)
class Plot:
    """An SVG drawing with the words that belong to it. `sources`: the artifacts it was drawn from."""

    name: str
    title: str
    caption: str
    svg: str
    sources: tuple[Manifest, ...]


def accuracy(study: Study) -> Plot | None:
    """Bars by benchmark with 95 % intervals: the student (or each arm) above its base model."""
    arms = [arm for arm in study.arms if arm.complete]
    names = primary(study.complete)
    if not arms or not names or len(arms) > MOST_ARMS or (len(arms) > 1 and len(names) == 1):
        return None  # the arms' own figure says it
    series = [(arm.name if len(arms) > 1 else "student", arm, STUDENT) for arm in arms]
    if any(row.model == BASE for row in arms[0].complete[0].accuracies):
        series.append(("base", arms[0], BASE))
    colours = [*(SERIES[i % len(SERIES)] for i in range(len(arms))), PALE][: len(series)]
    groups = []
    for name in names:
        shares = [_share(arm, name, model) for _, arm, model in series]
        groups.append((words(name), shares))
    with figure(0.62 + len(groups) * (0.30 + 0.19 * len(series))) as drawn:
        grouped_bars(drawn.subplots(), groups, colours)
        _legend(drawn, [label for label, _, _ in series], colours)
        svg = themed(drawn, "accuracy")
    caption = "Share of questions solved, in %. Whiskers: 95 % intervals."
    return Plot("accuracy", "Accuracy by benchmark", caption, svg, evaluations(study.complete))


def stages(job: JobRecord) -> list[Plot]:
    """One figure a benchmark: accuracy by education stage, student beside its base."""
    plots = []
    largest = max((row.high for row in job.accuracies if row.group.startswith("stage:")), default=1.0)
    for name in benchmarks([job]):
        rows = [row for row in job.accuracies if row.benchmark == name and row.group.startswith("stage:")]
        order = sorted({row.group.removeprefix("stage:") for row in rows}, key=stage_rank)
        if not order:
            continue
        found = {(row.model, row.group): row for row in rows}
        models = [model for model in (STUDENT, BASE) if any(row.model == model for row in rows)]
        groups = [
            (words(stage), [_triple(found.get((model, f"stage:{stage}"))) for model in models]) for stage in order
        ]
        with figure(0.62 + (0.05 + 0.21 * len(models)) * len(groups)) as drawn:
            grouped_bars(drawn.subplots(), groups, [FIRST, PALE][: len(models)], largest)
            _legend(drawn, models if len(models) > 1 else [], [FIRST, PALE][: len(models)])
            svg = themed(drawn, f"stages-{name}")
        caption = f"{words(name).capitalize()} by education stage, in %."
        plots.append(Plot(f"stages-{name}", words(name).capitalize(), caption, svg, evaluations([job])))
    return plots


def losses(study: Study) -> list[Plot]:
    """One figure a training: the loss of each distinct execution, smoothed over a faint trace of the raw values."""
    plots = []
    for name in study.node_names:
        runs: dict[str, tuple[int, Manifest]] = {}
        for index, arm in enumerate(study.arms):
            for node in (node for job in arm.jobs for node in job.nodes if node.name == name):
                if node.manifest:
                    runs.setdefault(node.key, (index, node.manifest))
        curves = [(index, m, read_curve(m)) for index, m in runs.values()]
        curves = [curve for curve in curves if len(curve[2]) > 1]
        if not curves:
            continue
        shared = len(curves) == 1
        with figure(2.3) as drawn:
            axes = drawn.subplots()
            for index, _, points in curves:
                _curve(axes, points, FIRST if shared else SERIES[index % len(SERIES)])
            axes.set_xlabel("step")
            _legend(drawn, *_curve_legend(study, [index for index, _, _ in curves], shared))
            svg = themed(drawn, f"loss-{name}")
        last = curves[0][2]
        caption = f"Training loss: {last[0][1]:.2f} at step {last[0][0]:,}, {_ending(last):.2f} at the end."
        if not shared:
            caption = f"Training loss of {len(curves)} runs, one line each."
        plots.append(Plot(f"loss-{name}", words(name), caption, svg, tuple(m for _, m, _ in curves)))
    return plots


def funnel(job: JobRecord) -> Plot | None:
    """How many rows each stage kept of those that entered."""
    rows = [(words(n.name), n.manifest.counts) for n in job.nodes if n.manifest and n.manifest.counts.entered]
    if not rows:
        return None
    with figure(0.55 + 0.27 * len(rows)) as drawn:
        axes = drawn.subplots()
        ys = range(len(rows))
        axes.barh(ys, [c.kept for _, c in rows], 0.62, color=FIRST)
        axes.barh(ys, [c.lost for _, c in rows], 0.62, left=[c.kept for _, c in rows], color=SECOND)
        for y, (_, counts) in enumerate(rows):
            axes.annotate(number(counts.kept), (counts.kept + counts.lost, y), (5, 0), **BESIDE)
        _row_axis(axes, [name for name, _ in rows], max(c.kept + c.lost for _, c in rows))
        _legend(drawn, ["kept", "rejected or failed"], [FIRST, SECOND])
        svg = themed(drawn, "funnel")
    at = tuple(n.manifest for n in job.nodes if n.manifest)
    return Plot("funnel", "Kept of what entered", "Each bar is what entered; the number is what was kept.", svg, at)


def times(study: Study) -> Plot | None:
    """Seconds a node, over the study's distinct executions."""
    rows = []
    for name in study.node_names:
        made = {n.key: n.manifest for job in study.jobs for n in job.nodes if n.name == name and n.manifest}
        fresh = {n.key for job in study.jobs for n in job.nodes if n.name == name and not n.reused}
        if made:
            new = sum(m.seconds for key, m in made.items() if key in fresh)
            rows.append((words(name), new, sum(m.seconds for m in made.values()) - new))
    if not rows:
        return None
    with figure(0.55 + 0.27 * len(rows)) as drawn:
        axes = drawn.subplots()
        ys = range(len(rows))
        axes.barh(ys, [new for _, new, _ in rows], 0.62, color=FIRST)
        axes.barh(ys, [old for _, _, old in rows], 0.62, left=[new for _, new, _ in rows], color=PALE)
        for y, (_, new, old) in enumerate(rows):
            axes.annotate(duration(new + old), (new + old, y), (5, 0), **BESIDE)
        _row_axis(axes, [name for name, _, _ in rows], max(new + old for _, new, old in rows))
        if any(old for _, _, old in rows):
            _legend(drawn, ["run by this study", "found done"], [FIRST, PALE])
        svg = themed(drawn, "times")
    caption = "Time of every distinct execution that the study stands on."
    return Plot("times", "Time by stage", caption, svg, tuple(study.artifacts.values()))


def influence(values: Sequence[float], candidates: int, manifest: Manifest) -> Plot | None:
    """How the selector's scores spread over the candidates; `values` are those of some of them where there are many."""
    values = [value for value in values if math.isfinite(value)]
    if len(values) < 2:
        return None
    with figure(2.1) as drawn:
        axes = drawn.subplots()
        axes.hist(values, bins=min(40, max(8, len(values) // 12)), color=FIRST, edgecolor=PAPER, linewidth=0.6)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel("score")
        axes.set_ylabel("candidates")
        svg = themed(drawn, "scores")
    read = f"{number(len(values))} of " if len(values) < candidates else ""
    caption = f"What the selector ranked by: {read}{number(candidates)} candidates, median {np.median(values):.3g}."
    return Plot("scores", "Scores of the candidates", caption, svg, (manifest,))


def histogram(
    name: str,
    title: str,
    caption: str,
    edges: Sequence[float],
    counts: Sequence[int],
    what: str,
    of: str,
    manifest: Manifest,
) -> Plot:
    """Counts that a stage has made itself. `what` is measured, `of` is counted."""
    with figure(2.1) as drawn:
        axes = drawn.subplots()
        axes.stairs(counts, edges, fill=True, color=FIRST, edgecolor=PAPER, linewidth=0.6)
        axes.locator_params(axis="x", nbins=6)
        axes.set_xlabel(what)
        axes.set_ylabel(of)
        svg = themed(drawn, name)
    return Plot(name, title, caption, svg, (manifest,))


BESIDE: dict[str, Any] = {"textcoords": "offset points", "va": "center", "color": INK, "fontsize": 8.6}


def _share(arm: Arm, benchmark: str, model: str) -> Bar | None:
    if len(arm.complete) == 1:
        rows = arm.complete[0].accuracies
        wanted = (model, benchmark, "all")
        return _triple(next((r for r in rows if (r.model, r.benchmark, r.group) == wanted), None))
    pooled = arm_accuracy(arm, [benchmark], model)
    return (pooled.mean, pooled.low, pooled.high) if pooled else None


def _triple(row: Accuracy | None) -> Bar | None:
    return (row.accuracy, row.low, row.high) if row else None


def evaluations(jobs: Sequence[JobRecord]) -> tuple[Manifest, ...]:
    return tuple({m.key: m for job in jobs if (m := job.manifest("evaluate"))}.values())


def grouped_bars(
    axes: Axes,
    groups: Sequence[Group],
    colours: Sequence[str],
    largest: float | None = None,
    one_a_row: bool = False,
) -> None:
    """Horizontal bars, a group a label; each with its whisker and its number at the whisker's end.

    `colours` are of a group's bars, or with `one_a_row` of the groups. `largest` is where the scale ends, for figures
    that are to be compared; else the longest whisker decides.
    """
    thickness = 0.72 if one_a_row else 0.78 / len(colours)
    largest = largest or max(bar[2] for _, bars in groups for bar in bars if bar)
    for row, (_, bars) in enumerate(groups):
        own = [colours[row]] if one_a_row else colours
        for index, (bar, colour) in enumerate(zip(bars, own, strict=True)):
            if bar is None:
                continue
            mean, low, high = bar
            y = row + (index - (len(own) - 1) / 2) * thickness
            axes.barh(y, mean, thickness * 0.86, color=colour)
            axes.plot([low, high], [y, y], color=PAPER, linewidth=3.2, solid_capstyle="butt")  # legible on the bar too
            axes.plot([low, high], [y, y], color=INK, linewidth=1.1, solid_capstyle="butt")
            axes.annotate(percent(mean), (max(high, mean), y), (5, 0), **BESIDE)
    _row_axis(axes, [name for name, _ in groups], largest)


def _row_axis(axes: Axes, names: Sequence[str], largest: float) -> None:
    """Names on the left, first on top, room for the numbers on the right; no scale, since every bar has its number."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_xlim(0, (largest or 1) * 1.17)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, pad=6)
    axes.spines["bottom"].set_visible(False)


def _curve(axes: Axes, points: Sequence[tuple[int, float]], colour: str) -> None:
    stride = max(1, len(points) // MOST_POINTS)
    steps, values = np.array([s for s, _ in points]), np.array([v for _, v in points])
    axes.plot(steps[::stride], values[::stride], color=colour, alpha=0.25, linewidth=0.7)
    smooth = _smoothed(values)
    axes.plot(steps[::stride], smooth[::stride], color=colour, linewidth=1.6)
    axes.set_xlim(0, steps[-1] * 1.01)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A centred running mean over 3 % of the curve; at the ends over what there is."""
    half = max(1, len(values) // 66)
    total = np.concatenate([[0.0], np.nancumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def _ending(points: Sequence[tuple[int, float]]) -> float:
    return float(_smoothed(np.array([v for _, v in points]))[-1])


def _curve_legend(study: Study, indices: Sequence[int], shared: bool) -> tuple[list[str], list[str]]:
    used = sorted(set(indices))
    if shared or len(used) < 2:
        return [], []
    return [study.arms[i].name for i in used], [SERIES[i % len(SERIES)] for i in used]


def _legend(figure: Figure, labels: Sequence[str], colours: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    if not labels:
        return
    handles = [Patch(color=colour, label=label) for label, colour in zip(labels, colours, strict=True)]
    columns = len(labels) if len(labels) <= 4 else 3
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=8.6,
        labelcolor=INK,
        handlelength=0.9,
        handleheight=0.9,
        handletextpad=0.5,
        columnspacing=1.4,
        borderpad=0.1,
    )


_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",  # the same data give the same bytes
    "axes.edgecolor": RULE,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 8.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "xtick.labelcolor": QUIET,
    "xtick.labelsize": 8.2,
    "ytick.labelsize": 8.8,
}


@contextmanager
def figure(height: float) -> Iterator[Figure]:
    """A figure in the house style; made without pyplot, so nothing global is touched and nothing is left open."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(WIDTH / 100, height), dpi=100, layout="constrained")


def themed(figure: Figure, name: str) -> str:
    """The figure as an <svg> element whose colours are CSS variables and whose size follows its box."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r' (?:width|height)="[^"]*"(?=[^>]*viewBox)', "", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # several drawings share a page: no id twice
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg


def standalone(svg: str) -> str:
    """The drawing as a file of its own, with the light palette and a background written in."""
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(f"var(--{variable})", colour)
    head, _, body = svg.partition(">")
    ground = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    look = 'width="660" font-family="Helvetica, Arial, sans-serif"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head} {look}>{ground}{body}'

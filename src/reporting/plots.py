"""The figures, as SVG that takes its colours from the page: one drawing serves light, dark and print.

Matplotlib draws with the light palette; `themed` then turns each colour into a CSS variable of the same meaning.
Colours are Okabe & Ito's, told apart under every common colour blindness; fills also differ in lightness. Figures are
440 px wide, so that their 12 px lettering stays legible on a phone; the page puts two in a row where there is room.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
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
Points = Sequence[tuple[int, float]]  # of a curve: (step, value)

WIDTH = 4.4 * 100  # CSS pixels; matplotlib counts 100 to the inch below
INK, QUIET, RULE, PAPER = "#1c1e21", "#5b616a", "#d9dbde", "#fdfdfc"
FIRST, SECOND, PALE, LOST = "#0072b2", "#e69f00", "#b9c0c7", "#d55e00"
SERIES = (FIRST, SECOND, "#009e73", "#cc79a7", "#56b4e9", LOST, "#8a7a00", "#6b6f76")
LINES = ("-", "--", ":", "-.")  # the next for every round of the colours
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
    """Bars by benchmark with 95 % intervals: the student (or each arm) above its base model.

    None where no bar is left, as when several seeds are to be pooled and their predictions are gone.
    """
    arms = [arm for arm in study.arms if arm.complete]
    names = primary(study.complete)
    if not arms or not names or len(arms) > MOST_ARMS or (len(arms) > 1 and len(names) == 1):
        return None  # the arms' own figure says it
    own_bases = any(_base_rows(arm) != _base_rows(arms[0]) for arm in arms)
    series = _with_bases(arms, names, own_bases)
    rows = [(words(name), [bars[i] for _, _, bars in series]) for i, name in enumerate(names)]
    groups = [(name, bars) for name, bars in rows if any(bars)]
    if not groups:
        return None
    with figure(0.62 + len(groups) * (0.30 + 0.19 * len(series))) as drawn:
        grouped_bars(drawn.subplots(), groups, [colour for _, colour, _ in series])
        legend = list(dict.fromkeys((label, colour) for label, colour, _ in series))
        _legend(drawn, [label for label, _ in legend], [colour for _, colour in legend])
        svg = themed(drawn, "accuracy")
    caption = "Share of questions solved, in %. Whiskers: 95 % intervals."
    if own_bases:
        caption += " Beneath each arm its own base."
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
        read = [(index, m, read_curve(m)) for index, m in runs.values()]
        finite = [(index, m, [(s, v) for s, v in points if math.isfinite(v)]) for index, m, points in read]
        curves = [curve for curve in finite if len(curve[2]) > 1]
        if not curves:
            continue
        shared = len(curves) == 1
        with figure(2.3) as drawn:
            axes = drawn.subplots()
            for index, _, points in curves:
                _curve(axes, points, *_line_look(0 if shared else index))
            axes.set_xlim(0, 1.01 * max(points[-1][0] for _, _, points in curves))
            axes.set_xlabel("step")
            _legend(drawn, *_curve_legend(study, [index for index, _, _ in curves], shared))
            svg = themed(drawn, f"loss-{name}")
        last = curves[0][2]
        caption = f"Training loss: {last[0][1]:.2f} at step {last[0][0]:,}, {_ending(last):.2f} at the end."
        if not shared:
            caption = f"Training loss of {len(curves)} runs, one line each."
        if left_out := sum(len(points) for _, _, points in read) - sum(len(points) for _, _, points in finite):
            caption += f" Values that are not finite, left out: {number(left_out)}."
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


def _with_bases(arms: Sequence[Arm], names: Sequence[str], own_bases: bool) -> list[tuple[str, str, list[Bar | None]]]:
    """(label, colour, a bar a benchmark): the arms, beneath them the base that they share, or beneath each its own."""
    series = []
    for arm, colour in zip(arms, SERIES, strict=False):
        label = arm.name if len(arms) > 1 else "student"
        series.append((label, colour, [_share(arm, name, STUDENT) for name in names]))
        base = [_share(arm, name, BASE) for name in names]
        if any(base) and (own_bases or arm is arms[-1]):
            series.append(("base", PALE, base))
    return series


def _base_rows(arm: Arm) -> set[frozenset[Accuracy]]:
    """The evaluations of a base that an arm's jobs stand on."""
    return {frozenset(row for row in job.accuracies if row.model == BASE) for job in arm.complete}


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


def _line_look(index: int) -> tuple[str, str]:
    """(colour, line style) of an arm's curve: no two are alike, though there are more arms than colours."""
    return SERIES[index % len(SERIES)], LINES[index // len(SERIES) % len(LINES)]


def _curve(axes: Axes, points: Points, colour: str, style: str) -> None:
    stride = max(1, len(points) // MOST_POINTS)
    steps, values = np.array([s for s, _ in points]), np.array([v for _, v in points])
    axes.plot(steps[::stride], values[::stride], color=colour, alpha=0.25, linewidth=0.7)
    smooth = _smoothed(values)
    axes.plot(steps[::stride], smooth[::stride], style, color=colour, linewidth=1.6)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A centred running mean over 3 % of the curve; at the ends over what there is."""
    half = max(1, len(values) // 66)
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def _ending(points: Points) -> float:
    return float(_smoothed(np.array([v for _, v in points]))[-1])


def _curve_legend(study: Study, indices: Sequence[int], shared: bool) -> tuple[list[str], list[str], list[str]]:
    """(labels, colours, line styles); none where there is nothing to tell apart."""
    used = sorted(set(indices))
    if shared or len(used) < 2:
        return [], [], []
    colours, styles = zip(*map(_line_look, used), strict=True)
    return [study.arms[i].name for i in used], list(colours), list(styles)


def _legend(figure: Figure, labels: Sequence[str], colours: Sequence[str], styles: Sequence[str] = ()) -> None:
    """Patches in the colours; lines where any of them has a style of its own."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if not labels:
        return
    lines = any(style != LINES[0] for style in styles)
    handles: list[Patch | Line2D] = (
        [Line2D([], [], color=c, linestyle=s, label=label) for label, c, s in zip(labels, colours, styles, strict=True)]
        if lines
        else [Patch(color=colour, label=label) for label, colour in zip(labels, colours, strict=True)]
    )
    columns = len(labels) if len(labels) <= 4 else 3
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        fontsize=8.6,
        labelcolor=INK,
        handlelength=2.0 if lines else 0.9,
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
def figure(height: float, formulas: bool = False) -> Iterator[Figure]:
    """A figure in the house style; made without pyplot, so nothing global is touched and nothing is left open.

    formulas: set what stands between dollars as one, as the powers along a logarithmic axis want it; only where all
    lettering is our own.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "text.parse_math": formulas}):
        yield Figure(figsize=(WIDTH / 100, height), dpi=100, layout="constrained")


def themed(figure: Figure, name: str) -> str:
    """The figure as an <svg> element whose colours are CSS variables and whose size follows its box."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    return _in_tags(svg, lambda tag: _themed_tag(tag, name))


def _themed_tag(tag: str, name: str) -> str:
    tag = re.sub(r' (?:width|height)="[^"]*"(?=[^>]*viewBox)', "", tag)
    tag = re.sub(r'<g id="[^"]*"', "<g", tag)  # several drawings share a page: no id twice
    tag = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", tag)
    tag = re.sub(r"font-family: [^;\"]*", "font-family: inherit", tag)
    for colour, variable in _VARIABLES.items():
        tag = tag.replace(colour, f"var(--{variable})")
    return tag


def _in_tags(svg: str, change: Callable[[str], str]) -> str:
    """Change the tags and leave the labels between them as they are."""
    return re.sub(r"<[^>]*>", lambda tag: change(tag[0]), svg)


def standalone(svg: str) -> str:
    """The drawing as a file of its own, with the light palette and a background written in."""
    svg = _in_tags(svg, _coloured_tag)
    head, _, body = svg.partition(">")
    ground = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    look = 'width="660" font-family="Helvetica, Arial, sans-serif"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head} {look}>{ground}{body}'


def _coloured_tag(tag: str) -> str:
    for colour, variable in _VARIABLES.items():
        tag = tag.replace(f"var(--{variable})", colour)
    return tag

"""The figures of a study with several arms: their accuracies, their differences, a curve where the arms lie on one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from src.reporting.collect import Arm, Study
from src.reporting.outcomes import arm_accuracy, compared
from src.reporting.plots import BESIDE, FIRST, INK, PALE, PAPER, QUIET, Plot, evaluations, figure, grouped_bars, themed
from src.reporting.scaling import Trend
from src.reporting.text import percent, points, tick_labels
from src.reporting.verdict import Contrast


def means(study: Study, baseline: Arm) -> Plot | None:
    """A bar an arm, with its 95 % interval; the baseline's is grey."""
    names = compared(study.complete)
    found = [(arm, arm_accuracy(arm, names)) for arm in study.arms if arm.complete]
    rows = [(arm, (e.mean, e.low, e.high)) for arm, e in found if e]
    if not rows:
        return None
    with figure(0.3 + 0.3 * len(rows)) as drawn:
        colours = [PALE if arm is baseline else FIRST for arm, _ in rows]
        grouped_bars(drawn.subplots(), [(arm.name, [bar]) for arm, bar in rows], colours, one_a_row=True)
        svg = themed(drawn, "means")
    over = f"the mean of {len(names)} benchmarks" if len(names) > 1 else names[0].replace("_", " ")
    caption = f"Share of questions solved, in %: {over}. Whiskers: 95 % intervals over questions and seeds."
    return Plot("means", "Accuracy", caption, svg, evaluations(study.complete))


def differences(study: Study, baseline: Arm, contrasts: Sequence[Contrast]) -> Plot | None:
    """A dot and an interval an arm, against the baseline at zero; a hollow dot claims nothing."""
    if not contrasts:
        return None
    with figure(0.42 + 0.3 * len(contrasts)) as drawn:
        axes = drawn.subplots()
        axes.axvline(0, color=QUIET, linewidth=0.9)
        for row, contrast in enumerate(contrasts):
            gap = contrast.comparison.difference
            axes.plot([100 * gap.low, 100 * gap.high], [row, row], color=FIRST, linewidth=1.6)
            fill = FIRST if contrast.claimed else PAPER
            axes.plot(100 * gap.mean, row, "o", markersize=6.5, markerfacecolor=fill, markeredgecolor=FIRST)
            axes.annotate(points(gap.mean), (100 * max(gap.high, 0), row), (7, 0), **BESIDE)
        axes.set_yticks(range(len(contrasts)), [contrast.arm.name for contrast in contrasts])
        axes.set_ylim(len(contrasts) - 0.45, -0.55)
        left, right = axes.get_xlim()
        axes.set_xlim(left, right + 0.16 * (right - left))
        axes.tick_params(axis="y", length=0, pad=6)
        axes.set_xlabel(f"percentage points against {baseline.name}")
        svg = themed(drawn, "differences")
    caption = "Paired by question and seed, with 95 % intervals. A full dot is a difference that can be claimed."
    return Plot("differences", "Difference to the baseline", caption, svg, evaluations(study.complete))


def curve(trend: Trend | None) -> Plot | None:
    """Accuracy against what the arms differ in, with the fit that `trend` describes."""
    if trend is None:
        return None
    with figure(2.6) as drawn:
        axes = drawn.subplots()
        span = np.geomspace(min(trend.x), max(trend.x), 50)
        axes.plot(span, [100 * max(0.0, trend.fitted(x)) for x in span], color=PALE, linewidth=1.6, zorder=1)
        for x, estimate in zip(trend.x, trend.accuracies, strict=True):
            axes.plot([x, x], [100 * estimate.low, 100 * estimate.high], color=INK, linewidth=1.1)
            axes.plot(x, 100 * estimate.mean, "o", color=FIRST, markersize=6)
            axes.annotate(percent(estimate.mean), (x, 100 * estimate.mean), (6, 5), **{**BESIDE, "va": "bottom"})
        axes.set_xscale("log", base=2)
        axes.set_xticks(trend.x, tick_labels(trend.x))
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_ylim(bottom=0)
        axes.margins(x=0.08)
        axes.set_xlabel(trend.label)
        axes.set_ylabel("accuracy, %")
        svg = themed(drawn, "curve")
    return Plot("curve", f"Accuracy and {trend.label}", f"{trend.sentence} Line: the fit.", svg, trend.sources)

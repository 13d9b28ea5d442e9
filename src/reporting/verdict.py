"""The answer in plain sentences, and only where the interval allows one.

A difference is claimed when its 95 % interval excludes zero; between several arms also p < 0.05 after Holm's
correction. Otherwise the sentence says what the data cannot tell, and how large a difference they leave open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.core.intervals import Estimate, holm
from src.reporting.collect import Arm, JobRecord, Study
from src.reporting.outcomes import (
    Comparison,
    against_arm,
    against_base,
    arm_accuracy,
    benchmarks,
    compared,
    primary,
    transfer,
)
from src.reporting.scaling import trend
from src.reporting.text import interval, listed, percent, plural, points, signed_interval, words

NOT_EXAMINED = "No model was examined in this study."
MOST_SENTENCES = 3  # about arms of which nothing can be claimed


@dataclass(frozen=True)
class Contrast:
    """An arm against the baseline; `p` is corrected for the number of arms compared."""

    arm: Arm
    comparison: Comparison
    p: float

    @property
    def claimed(self) -> bool:
        return self.comparison.difference.excludes_zero and self.p < 0.05


def contrasts(study: Study, baseline: Arm) -> list[Contrast]:
    """Every other arm against the baseline over the primary benchmarks that all were asked, on shared seeds and
    questions."""
    names = compared(study.complete)
    found = [(arm, against_arm(arm, baseline, names)) for arm in study.arms if arm is not baseline]
    known = [(arm, comparison) for arm, comparison in found if comparison]
    corrected = holm([comparison.difference.p for _, comparison in known])
    return [Contrast(arm, comparison, p) for (arm, comparison), p in zip(known, corrected, strict=True)]


def answer(study: Study, baseline: Arm) -> list[str]:
    """One sentence a finding: the student against its base, or the arms against the baseline."""
    if not study.complete:
        return ["No job of this study is complete yet, so there is nothing to conclude."]
    if not benchmarks(study.complete):
        alone = "rows" in study.kinds.values()
        return ["One stage ran on rows of your own."] if alone else [NOT_EXAMINED]
    if "rows" in study.kinds.values():
        return ["Answers were graded that were there already; each file's share of right ones stands for itself."]
    if len(study.arms) < 2:
        return [_training_helped(study), *_where(study), *_transferred(study)]
    found = contrasts(study, baseline)
    if not found:
        return [_why_nothing_is_compared(study, baseline)]
    along = trend(study)
    sentences = [*([along.sentence] if along else []), *_contrast_sentences(found, baseline), *_caution(found)]
    asked = compared(study.complete)
    if apart := [words(name) for name in primary(study.complete) if name not in asked]:
        sentences.append(f"not compared, for not every arm was asked: {listed(apart)}.")
    return [_capitalised(sentence) for sentence in sentences]


def _why_nothing_is_compared(study: Study, baseline: Arm) -> str:
    seeds = {job.seed for job in baseline.complete}
    if any(job.seed in seeds for arm in study.arms if arm is not baseline for job in arm.complete):
        return f"No arm was asked questions that {baseline.name} was asked, so nothing can be compared."
    return f"No arm shares a complete seed with {baseline.name} yet, so nothing can be compared."


def _capitalised(sentence: str) -> str:
    """With a capital, unless it begins with a name that is no word: share_0.5."""
    first = sentence.split(maxsplit=1)[0]
    return sentence[:1].upper() + sentence[1:] if first.strip(",:").isalpha() else sentence


def _training_helped(study: Study) -> str:
    names = primary(study.complete)
    result = against_base(study.complete, names)
    if result is None and "pretrain" not in study.node_names:
        solved = arm_accuracy(study.arms[0], names)
        return (
            f"The model solves {percent(solved.mean)} % ({interval(solved.low, solved.high)})."
            if solved
            else NOT_EXAMINED
        )
    if result is None:
        return "The model that the student started from was not examined, so the student's gain is unknown."
    ours, theirs, gap = result.ours, result.theirs, result.difference
    asked = plural(gap.questions, "question")
    where = f"in the mean of {len(names)} benchmarks with {asked}" if len(names) > 1 else f"of {asked}"
    numbers = f"{percent(ours.mean)} % against {percent(theirs.mean)} % {where}"
    if gap.low > 0:
        return f"Pre-training helps: the student solves {numbers} ({_gap(gap)})."
    if gap.high < 0:
        return f"The student is worse than the model it started from: {numbers} ({_gap(gap)})."
    return f"No gain over the model it started from can be claimed: {numbers} ({_gap(gap)})."


def _transferred(study: Study) -> list[str]:
    """What the student does on benchmarks that nobody taught."""
    names = transfer(study.complete)
    result = against_base(study.complete, names) if names else None
    if result is None:
        return []
    what = f"On what was not taught ({plural(len(names), 'benchmark')})"
    numbers = f"{percent(result.ours.mean)} % against the base's {percent(result.theirs.mean)} %"
    verdict = "" if result.difference.excludes_zero else "no difference can be claimed, "
    return [f"{what} {verdict}{numbers} ({_gap(result.difference)})."]


@dataclass(frozen=True)
class Gain:
    """The student against its base on one benchmark; `p` is corrected for the number of benchmarks."""

    benchmark: str
    difference: Estimate
    p: float

    @property
    def claimed(self) -> bool:
        return self.difference.excludes_zero and self.p < 0.05


def gains(jobs: Sequence[JobRecord]) -> list[Gain]:
    """For each benchmark that both were asked."""
    found = [(name, against_base(jobs, [name])) for name in benchmarks(jobs)]
    known = [(name, result.difference) for name, result in found if result]
    corrected = holm([difference.p for _, difference in known])
    return [Gain(name, difference, p) for (name, difference), p in zip(known, corrected, strict=True)]


def _where(study: Study) -> list[str]:
    """On which of several primary benchmarks the gain can be claimed."""
    found = [gain for gain in gains(study.complete) if gain.benchmark in primary(study.complete)]
    if len(found) < 2:
        return []
    better = [words(g.benchmark) for g in found if g.claimed and g.difference.mean > 0]
    worse = [words(g.benchmark) for g in found if g.claimed and g.difference.mean < 0]
    undecided = [words(g.benchmark) for g in found if not g.claimed]
    parts = [
        f"{text} {listed(names)}"
        for text, names in (("better on", better), ("worse on", worse), ("no difference can be claimed on", undecided))
        if names
    ]
    return [f"By benchmark, corrected for asking {len(found)} times: {'; '.join(parts)}."]


def _contrast_sentences(found: list[Contrast], baseline: Arm) -> list[str]:
    """Every difference that can be claimed; of the others each, while they are few, or one sentence for all."""
    claimed, open_ = [c for c in found if c.claimed], [c for c in found if not c.claimed]
    sentences = [_contrast_sentence(c, baseline, len(found)) for c in claimed]
    if len(open_) <= MOST_SENTENCES:
        return sentences + [_contrast_sentence(c, baseline, len(found)) for c in open_]
    widest = max(max(abs(c.comparison.difference.low), abs(c.comparison.difference.high)) for c in open_)
    names = listed([c.arm.name for c in open_])
    left = f"they leave room for up to {percent(widest)} points either way"
    return [*sentences, f"{names} cannot be told apart from {baseline.name}: {left}."]


def _contrast_sentence(contrast: Contrast, baseline: Arm, asked: int) -> str:
    result, name = contrast.comparison, contrast.arm.name
    numbers = f"{percent(result.ours.mean)} % against {percent(result.theirs.mean)} % ({_gap(result.difference)})"
    if contrast.claimed:
        verb = "beats" if result.difference.mean > 0 else "falls behind"
        return f"{name} {verb} {baseline.name}: {numbers}."
    corrected = f", corrected for asking {asked} times" if result.difference.excludes_zero else ""
    return f"{name} and {baseline.name} cannot be told apart{corrected}: {numbers}."


def _gap(gap: Estimate) -> str:
    return f"{points(gap.mean)} points, 95 % interval {signed_interval(gap.low, gap.high)}"


def _caution(found: list[Contrast]) -> list[str]:
    alone = [c.arm.name for c in found if c.comparison.difference.seeds == 1 and c.comparison.trained_apart]
    if not alone:
        return []
    return [f"{listed(alone)}: one seed only, so the interval leaves out the luck of the training."]

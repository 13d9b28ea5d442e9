"""A study of decodings: what each solves for the operations that it takes, and which differences can be claimed.

All arms ask the same student, so that they are compared question by question, without the luck of a training. The
frontier are the arms that solve more than every arm that takes no more operations. Each other arm is compared with the
best of the frontier that takes no more than it does, and each arm of the frontier with the one before it; p-values are
corrected for all these comparisons. Who stands on the frontier was chosen by the same answers, which favours it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

from src.core.command import option_name
from src.core.intervals import Estimate, holm
from src.core.records import STUDENT
from src.reporting.collect import Arm, JobRecord, Manifest, Study
from src.reporting.outcomes import Comparison, against_arm, arm_accuracy, compared
from src.reporting.plots import INK, QUIET, SERIES, Plot, figure, themed
from src.reporting.table import Cell, Column, Table, sources
from src.reporting.text import (
    duration,
    interval,
    listed,
    number,
    p_value,
    percent,
    plural,
    points,
    short,
    signed_interval,
)

SHOWN_TREES, SHOWN_NODES = 3, 40
MEAN_OF_ANSWERS = "sample"  # its accuracy is what one answer reaches, so what one answer takes stands beside it
KEY_DIGITS = 8  # of a key, to find the folder by eye
SIZES = ("samples", "tokens", "expansions")  # how much a decoding may write: points of one line


@dataclass(frozen=True)
class DecodingArm:
    """One decoding at one size. All but the accuracies is by question; of plain samples, by answer.

    options: as they are typed, but for `samples`. judge: what rewards its steps, in words; "" where nothing does.
    cut_off: for how many questions no answer was complete, and within which limits; "" where each had one.
    """

    arm: Arm
    decoding: str
    samples: int
    accuracy: Estimate
    oracle: float
    flops: float
    generated: float
    scored: float
    seconds: float
    options: dict[str, str] = field(default_factory=dict)
    judge: str = ""
    cut_off: str = ""

    @property
    def at(self) -> tuple[Manifest, ...]:
        return sources(job.manifest("evaluate") for job in self.arm.complete)


@dataclass(frozen=True)
class Claim:
    """An arm against one of the frontier that takes no more operations. p: corrected for all comparisons."""

    ours: DecodingArm
    theirs: DecodingArm
    comparison: Comparison
    p: float

    @property
    def claimed(self) -> bool:
        return self.comparison.difference.excludes_zero and self.p < 0.05


@dataclass(frozen=True)
class TreeRow:
    """A step in a tree: how deep it lies, what it says, its reward and value, whether it is on the chosen path."""

    depth: int
    step: str
    reward: str
    value: str
    state: str
    chosen: bool


@dataclass(frozen=True)
class ShownTree:
    question: str
    gold: str
    answer: str
    correct: bool
    rows: tuple[TreeRow, ...]
    more: int


@dataclass(frozen=True)
class Decodings:
    """What the page says of them; false where the study has no two that differ."""

    arms: tuple[DecodingArm, ...] = ()
    claims: tuple[Claim, ...] = ()
    trees: tuple[ShownTree, ...] = ()
    shown: str = ""
    left_out: tuple[str, ...] = ()  # arms whose operations nobody knows

    def __bool__(self) -> bool:
        return len(self.arms) > 1

    @cached_property
    def frontier(self) -> tuple[DecodingArm, ...]:
        return frontier(self.arms)

    @property
    def sentences(self) -> list[str]:
        """The frontier, then what can be claimed."""
        steps = [f"{a.arm.name} ({percent(a.accuracy.mean)} %)" for a in self.frontier]
        lie, each = ("lie", "each solved") if len(steps) > 1 else ("lies", "it solved")
        found = [
            f"On the frontier {lie}, from few operations to many, {listed(steps)}: on these questions {each} more than "
            "all that take no more."
        ]
        made = [claim for claim in self.claims if claim.claimed]
        found += [_sentence(claim) for claim in made]
        if left := len(self.claims) - len(made):
            compared = f"the other {plural(left, 'comparison')}" if made else plural(left, "comparison")
            found.append(f"In {compared} at no more operations, no difference can be claimed.")
        if self.left_out:
            found.append(f"Left out, for the size of a model is not known: {listed(self.left_out)}.")
        return found

    @property
    def table(self) -> Table:
        columns = [Column("Decoding", numeric=False), Column("Accuracy %"), Column("Oracle %")]
        columns += [Column(f"{what} a question") for what in ("FLOPs", "Tokens written", "Tokens scored", "Time")]
        columns += [Column("Against, at no more FLOPs", numeric=False), Column("Points"), Column("p")]
        claims = {id(claim.ours): claim for claim in self.claims}
        rows = [(*_cells(a, a in self.frontier), *_against(claims.get(id(a)))) for a in self.arms]
        note = (
            "Accuracy with its 95 % interval over questions; the oracle picks a right candidate where there is one. "
            "FLOPs: 2 N a token read or written by a model with N working parameters, a question's prompt once; of "
            "plain samples, whose accuracy is their mean, for one of them. "
            "Arms of the frontier are marked; p is corrected for all comparisons of the table (Holm)."
        )
        judges: dict[str, dict[str, None]] = defaultdict(dict)
        for a in self.arms:
            judges[a.judge][a.decoding] = None
        note += "".join(f" No complete answer of {a.arm.name}: {a.cut_off}." for a in self.arms if a.cut_off)
        note += "".join(f" Steps of {listed(list(names))}: {judge}." for judge, names in judges.items() if judge)
        return Table(tuple(columns), tuple(rows), note)


def decoding_words(config: Mapping[str, Any]) -> str:
    """How an evaluation chose its answers, from its options; "" for plain sampling."""
    decoding = config.get("decoding") or {}
    option = option_name(decoding.get("_target_", "Independent").rpartition(".")[2])
    if option == MEAN_OF_ANSWERS:
        return ""
    judge = judge_words(decoding)
    return ", ".join(filter(None, (f"{option} of {decoding['samples'] or config['samples']}", judge)))


def judge_words(decoding: Mapping[str, Any]) -> str:
    """What rewards the steps of a decoding, from its options; "" where nothing does."""
    if "judge" not in decoding:
        return ""
    reward = decoding["reward"]
    if reward is None:
        return "judge=labels, reward model of the run" if decoding["judge"] == "labels" else "judge=likelihood"
    return f"judge={reward['judge']}, reward={_name(reward)}"


def cut_off_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Of rows of `compute.json` of one decoding: how many questions got no complete answer; "" where each got one."""
    cut_off = sum(row.get("cut_off", 0) for row in rows)
    asked = sum(row["questions"] for row in rows)
    return f"{number(cut_off)} of {plural(asked, 'question')} within {rows[0]['limits']}" if cut_off else ""


def _name(reward: Mapping[str, Any]) -> str:
    """The last part of a reward model's folder or name; of one in the store the beginning of its key."""
    path = Path(reward["model"])
    path = path.parent if path.name == "model" else path
    return f"reward/{path.name[:KEY_DIGITS]}" if re.fullmatch("[0-9a-f]{20}", path.name) else path.name


def decodings(study: Study) -> Decodings:
    """Those of the arms with a size and operations that are known."""
    names = compared(study.complete)
    found = [made for arm in study.arms if (made := _arm(arm, names))]
    if len({(a.decoding, a.samples, *a.options.items()) for a in found}) < 2:
        return Decodings()
    found.sort(key=lambda a: (a.flops, a.arm.name))
    job = next((arm.arm.complete[0] for arm in reversed(found) if _has_trees(arm.arm.complete[0])), None)
    trees = tuple(islice(_trees(job), SHOWN_TREES)) if job else ()
    known = {a.arm.name for a in found}
    left_out = tuple(arm.name for arm in study.arms if arm.complete and arm.name not in known)
    return Decodings(tuple(found), _claims(found, names), trees, job.label if job else "", left_out)


def labels(arms: Sequence[DecodingArm]) -> list[str]:
    """Of each arm its decoding, and the options in which arms of that decoding differ, but for their sizes."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for a in arms:
        for option, value in a.options.items():
            values[a.decoding, option].add(value)
    differ = {key for key, found in values.items() if len(found) > 1 and key[1] not in SIZES}
    own = ([f"{o}={value}" for o, value in a.options.items() if (a.decoding, o) in differ] for a in arms)
    return [", ".join([a.decoding, *words]) for a, words in zip(arms, own, strict=True)]


def frontier(arms: Sequence[DecodingArm]) -> tuple[DecodingArm, ...]:
    """By operations; of equal accuracies the cheapest."""
    best: list[DecodingArm] = []
    for arm in sorted(arms, key=lambda a: (a.flops, -a.accuracy.mean)):
        if not best or arm.accuracy.mean > best[-1].accuracy.mean:
            best.append(arm)
    return tuple(best)


def _claims(arms: Sequence[DecodingArm], names: Sequence[str]) -> tuple[Claim, ...]:
    best = frontier(arms)
    pairs = []
    for arm in arms:
        cheaper = [other for other in best if other.flops <= arm.flops and other is not arm]
        if cheaper and (comparison := against_arm(arm.arm, cheaper[-1].arm, names)):
            pairs.append((arm, cheaper[-1], comparison))
    corrected = holm([comparison.difference.p for _, _, comparison in pairs])
    return tuple(Claim(*pair, p) for pair, p in zip(pairs, corrected, strict=True))


def _arm(arm: Arm, names: Sequence[str]) -> DecodingArm | None:
    """Mean over jobs and benchmarks; None where something is not known."""
    accuracy = arm_accuracy(arm, names)
    rows = [row for job in arm.complete for row in _compute(job) if row["benchmark"] in names]
    if accuracy is None or not rows or any(row["flops"] is None for row in rows):
        return None
    asked = sum(row["questions"] for row in rows)
    option = option_name(rows[0]["decoding"])
    answers = rows[0]["samples"] if option == MEAN_OF_ANSWERS else 1
    speeds = [speed for job in arm.complete for speed in _speeds(job) if speed["benchmark"] in names]
    return DecodingArm(
        arm,
        option,
        rows[0]["samples"],
        accuracy,
        fmean(fmean(row["oracle"] for row in rows if row["benchmark"] == name) for name in names),
        sum(_flops(row, answers) for row in rows) / asked,
        sum(row["generated_tokens"] for row in rows) / asked / answers,
        sum(row["scored_tokens"] for row in rows) / asked,
        _seconds(speeds) / answers,
        _options(arm.complete[0]),
        judge_words(_config(arm.complete[0]).get("decoding") or {}),
        cut_off_words(rows) if option != MEAN_OF_ANSWERS else "",
    )


def _seconds(speeds: Sequence[dict[str, Any]]) -> float:
    """Of a question."""
    asked = sum(speed["questions"] for speed in speeds)
    return sum(speed["seconds_per_question"] * speed["questions"] for speed in speeds) / max(asked, 1)


def _flops(row: dict[str, Any], answers: int) -> float:
    """Those of one of the answers, each of which would need the prompt."""
    prompt, written = row["prompt_tokens"], row["generated_tokens"]
    share = (prompt + written / answers) / (prompt + written) if answers > 1 and written else 1.0
    return float(row["flops"] * share)


def _options(job: JobRecord) -> dict[str, str]:
    """Those of its decoding, whose temperature may be the evaluation's."""
    config = _config(job)
    options = dict(config.get("decoding") or {})
    if options.get("reward"):
        options["reward"] = _name(options["reward"])
    if "temperature" in options and options["temperature"] is None:
        options["temperature"] = config.get("temperature")
    words = {name: json.dumps(value, ensure_ascii=False).strip('"') for name, value in options.items()}
    return {name: word for name, word in words.items() if name not in ("_target_", "samples")}


def _config(job: JobRecord) -> Mapping[str, Any]:
    manifest = job.manifest("evaluate")
    return manifest.config if manifest else {}


def _compute(job: JobRecord) -> list[dict[str, Any]]:
    return [row for row in _json(job, "compute.json", []) if row["model"] == STUDENT]


def _speeds(job: JobRecord) -> list[dict[str, Any]]:
    return [row for row in _json(job, "conditions.json", {}).get("speed", []) if row["model"] == STUDENT]


def _json(job: JobRecord, name: str, otherwise: Any) -> Any:
    manifest = job.manifest("evaluate")
    path = manifest.path / name if manifest else None
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else otherwise


def _lines(job: JobRecord) -> Iterator[dict[str, Any]]:
    manifest = job.manifest("evaluate")
    path = manifest.path / "candidates.jsonl" if manifest else None
    if path and path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _has_trees(job: JobRecord) -> bool:
    return bool(next(_lines(job), {}).get("nodes"))


def _trees(job: JobRecord) -> Iterator[ShownTree]:
    """The first questions whose tree had a choice to make."""
    for line in _lines(job):
        chosen = line["candidates"][line["chosen"]]
        mine = sorted((n for n in line["nodes"] if n["tree"] == chosen["tree"] and n["path"]), key=lambda n: n["path"])
        if len(mine) < 3:
            continue
        rows = tuple(_tree_row(node, chosen["path"]) for node in mine)
        question = line["question"].strip()
        answer = chosen["answer"] or "none"
        yield ShownTree(question, line["gold"], answer, chosen["correct"], rows[:SHOWN_NODES], len(rows) - SHOWN_NODES)


def _tree_row(node: dict[str, Any], chosen: list[int]) -> TreeRow:
    path = node["path"]
    reward = "" if node["reward"] is None else _worth(node["reward"])
    on_path = path == chosen[: len(path)]
    return TreeRow(len(path) - 1, node["step"], reward, _worth(node["value"]), node["state"], on_path)


def _worth(value: float) -> str:
    """Products of rewards are often small: two digits that count."""
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.1e}" if value < 0.001 else f"{value:.2g}"


def _sentence(claim: Claim) -> str:
    gap = claim.comparison.difference
    verb = "solves more than" if gap.mean > 0 else "solves less than"
    numbers = f"{points(gap.mean)} points, 95 % interval {signed_interval(gap.low, gap.high)}"
    cost = claim.ours.flops / claim.theirs.flops
    return f"{claim.ours.arm.name} {verb} {claim.theirs.arm.name} ({numbers}), at {cost:.1f} times its operations."


def _cells(a: DecodingArm, on_frontier: bool) -> tuple[Cell, ...]:
    return (
        Cell(a.arm.name, "frontier" if on_frontier else ""),
        Cell(percent(a.accuracy.mean), interval(a.accuracy.low, a.accuracy.high), a.at),
        Cell(percent(a.oracle)),
        Cell(short(a.flops)),
        Cell(number(a.generated)),
        Cell(number(a.scored)),
        Cell(duration(a.seconds)),
    )


def _against(claim: Claim | None) -> tuple[Cell, ...]:
    if claim is None:
        return Cell(""), Cell(""), Cell("")
    gap = claim.comparison.difference
    tone = ("good" if gap.mean > 0 else "bad") if claim.claimed else "quiet"
    name = claim.theirs.arm.name
    return Cell(name), Cell(points(gap.mean), signed_interval(gap.low, gap.high), tone=tone), Cell(p_value(claim.p))


def plot(found: Decodings) -> Plot | None:
    """Accuracy against operations, a line a decoding and its options; dashed the oracle, the frontier ringed."""
    if not found:
        return None
    lines: dict[str, list[DecodingArm]] = defaultdict(list)
    for label, a in zip(labels(found.arms), found.arms, strict=True):
        lines[label].append(a)
    with figure(3.4, formulas=True) as drawn:
        axes = drawn.subplots()
        for (label, mine), colour in zip(lines.items(), SERIES * len(lines)):
            means = [100 * a.accuracy.mean for a in mine]
            axes.plot([a.flops for a in mine], means, "o-", color=colour, label=label.replace("$", r"\$"))
            for a in mine:
                low, high = 100 * a.accuracy.low, 100 * a.accuracy.high
                axes.plot([a.flops, a.flops], [low, high], color=colour, linewidth=0.8, alpha=0.6)
        for a in found.frontier:
            axes.plot(a.flops, 100 * a.accuracy.mean, "o", markersize=10, markerfacecolor="none", markeredgecolor=INK)
        ceiling = [a for a in found.arms if a.scored == 0 and a.generated > 0 and a.decoding != MEAN_OF_ANSWERS]
        axes.plot([a.flops for a in ceiling], [100 * a.oracle for a in ceiling], "--", color=QUIET, label="oracle")
        axes.set_xscale("log")
        axes.set_xlabel("FLOPs a question")
        axes.set_ylabel("accuracy, %")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=7.6, ncols=2)
        svg = themed(drawn, "decodings")
    caption = (
        "Whiskers: 95 % intervals over questions. Ringed: the frontier. Dashed: a right answer was among the samples."
    )
    return Plot("decodings", "Accuracy and operations", caption, svg, tuple(m for a in found.arms for m in a.at))

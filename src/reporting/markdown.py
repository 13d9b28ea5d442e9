"""The same report as Markdown, and the numbers as CSV for whoever wants to draw their own picture."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from src.reporting.collect import Arm, JobRecord, Manifest, Study
from src.reporting.page import PageView
from src.reporting.plots import Plot
from src.reporting.table import Table
from src.reporting.text import words

WHO = ("study", "arm", "job", "seed")
ACCURACY_COLUMNS = (*WHO, "model", "benchmark", "group", "n", "accuracy", "low", "high", "mean_tokens", "key")
STAGE_COLUMNS = (*WHO, "node", "reused", "seconds", "peak_memory_mb", "in", "kept", "rejected", "failed")


UNFINISHED = "**What failed or is missing.**"
WIDTH = 110  # of the lines of a text that is shown as it was written
PLACE = re.compile(r" (?:\+\+)?(?:outputs|tracker(?:\.\w+)?)=\S+")  # where results lie is the machine's affair


def report(view: PageView, drawings: Sequence[Plot], prefix: str) -> str:
    """A record of the study, ready for `experiments/`: question, commands, machine, answer, drawings, tables.

    prefix: of the drawings' file names."""
    study = view.study
    title = words(study.name)
    parts = [f"# {title[:1].upper()}{title[1:]}"]
    parts += [f"**Question.** {study.question}"] if study.question else []
    parts.append(f"**Answer.** {' '.join(view.answer)}")
    parts += [f"**Not checked for contamination.** {warning}" for warning in study.unchecked]
    parts += [f"**Unisolated programs.** {warning}" for warning in study.unisolated]
    commands = dict.fromkeys(PLACE.sub("", job.command) for job in study.jobs if job.command)
    parts += ["**Commands.**", "```\n" + "\n".join(commands) + "\n```"] if commands else []
    parts.append(f"**Cost.** {view.sharing.sentence}")
    unfinished = [f"{job.name} ({job.error or job.status})" for job in study.jobs if not job.complete]
    unfinished += study.missing_seeds + [remark.rstrip(".") for remark in study.remarks]
    parts.append(f"{UNFINISHED} {'; '.join(unfinished) or 'Nothing'}.")
    parts += [f"![{plot.title}]({prefix}{plot.name}.svg)" for plot in drawings]
    results = (
        ("Decodings", "decodings"),
        ("Reward model", "reward"),
        ("Arms", "arms"),
        ("Beside the paper", "paper"),
        ("Accuracy", "accuracy"),
        ("Transfer: what nobody taught", "transfer"),
        ("Pass@k", "pass_at_k"),
        ("By education stage", "stages_by_arm" if view.tables["stages_by_arm"] else "stages"),
        (f"Rows through the stages{f' of {view.shown.name}' if view.shown else ''}", "funnel"),
        ("Filters on planted faults", "filters"),
    )
    parts += _sections(view, results)
    parts += _trees(view)
    parts += _key_points(view)
    parts += _corpus(view)
    parts += _selection(view)
    parts += _written(view)
    parts += _sections(view, (("Time and memory", "effort"), ("Jobs", "jobs")))
    if view.origins:
        parts += ["## Machine and versions", "\n".join(f"- {name}: {value}" for name, value in view.origins.items())]
    return "\n\n".join(parts) + "\n"


def _sections(view: PageView, named: Iterable[tuple[str, str]]) -> Iterator[str]:
    for heading, name in named:
        if view.tables[name]:
            yield f"## {heading}"
            yield markdown(view.tables[name])


def _corpus(view: PageView) -> Iterator[str]:
    if not view.corpus or not view.shown:
        return
    yield f"## The corpus of {view.shown.name}"
    if view.tables["corpora"]:
        yield markdown(view.tables["corpora"])
    for part in (*view.corpus.parts, *view.corpus.short):
        yield f"### {part.title}"
        yield markdown(part.table)


def _trees(view: PageView) -> Iterator[str]:
    """Search trees as indented text: `*` marks the chosen path, then a step's reward and the node's value."""
    if view.decodings.trees:
        yield f"## Trees of {view.decodings.shown}"
    for tree in view.decodings.trees:
        verdict = "right" if tree.correct else f"wrong, gold {tree.gold}"
        rows = [
            f"{'*' if r.chosen else ' '} {'  ' * r.depth}{r.step}  [{r.reward or '-'}, {r.value}]" for r in tree.rows
        ]
        rows += [f"  ... and {tree.more} more nodes"] if tree.more > 0 else []
        yield "\n".join(("```", tree.question, "", *rows, "", f"Answer {tree.answer}: {verdict}", "```"))


def _key_points(view: PageView) -> Iterator[str]:
    if view.key_points.parts:
        yield "## Topics and key points"
    for part in view.key_points.parts:
        yield f"### {part.title}"
        yield markdown(part.table)


def _written(view: PageView) -> Iterator[str]:
    """A problem of the synthesizer for each education stage, as it stands in the corpus."""
    written = [sample.synthesizer for sample in view.samples if sample.synthesizer]
    if not view.shown or not written:
        return
    yield f"## What the synthesizer of {view.shown.name} wrote"
    yield "One problem of the corpus for each education stage, drawn by the hash of its content, not by its looks."
    for problem in written:
        yield f"### Written for {words(problem.stage)}"
        yield fenced(f"{problem.question}\n\n{problem.solution}")


def fenced(text: str) -> str:
    """Shown as it is, whatever marks it holds; long lines are broken, but not those of programs."""
    lines, in_program = [], False
    for line in text.strip("\n").splitlines():
        in_program ^= line.lstrip().startswith("```")
        lines += [line] if in_program else textwrap.wrap(line, WIDTH, expand_tabs=False) or [""]
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}text", *lines, fence))


def _selection(view: PageView) -> Iterator[str]:
    if view.selecting and (tables := (*view.selection.correlations, *view.selection.shares)):
        yield f"## Selection of {view.selecting.name}"
        yield from map(markdown, tables)


def markdown(table: Table) -> str:
    """A GitHub table, its note beneath it."""
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    rows = [[column.name for column in table.columns], rule, *([cell.plain for cell in row] for row in table.rows)]
    lines = ["| " + " | ".join(_escaped(text) for text in row) + " |" for row in rows]
    return "\n".join(lines) + (f"\n\n{table.note}" if table.note else "")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def accuracy_csv(study: Study) -> str:
    """One line a model, benchmark and group of every job, with the artifact it comes from."""
    rows = (
        (*_who(study, arm, job), a.model, a.benchmark, a.group, a.n, a.accuracy, a.low, a.high, a.mean_tokens, m.key)
        for arm in study.arms
        for job in arm.jobs
        if (m := job.manifest("evaluate"))
        for a in job.accuracies
    )
    return _csv(ACCURACY_COLUMNS, rows)


def stages_csv(study: Study) -> str:
    """One line a node of every job."""
    rows = (
        (*_who(study, arm, job), node.name, node.reused, *_measures(m), m.key, m.commit, m.command)
        for arm in study.arms
        for job in arm.jobs
        for node in job.nodes
        if (m := node.manifest)
    )
    return _csv((*STAGE_COLUMNS, "key", "commit", "command"), rows)


def _who(study: Study, arm: Arm, job: JobRecord) -> tuple[object, ...]:
    return study.name, arm.name, job.name, job.seed


def _measures(manifest: Manifest) -> tuple[object, ...]:
    counts = manifest.counts
    lost = (sum(counts.rejected.values()), sum(counts.failed.values()))
    return round(manifest.seconds, 3), round(manifest.peak_memory_mb), counts.entered, counts.kept, *lost


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()

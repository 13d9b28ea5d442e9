"""The page: one HTML file with everything inside, for a desk, a phone and a printer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import jinja2

from src.core.records import STUDENT
from src.reporting import comparing, plots, prose, samples, tables
from src.reporting import decodings as of_decodings
from src.reporting.collect import Arm, JobRecord, Manifest, Study
from src.reporting.corpus import CorpusSummary, corpora, corpus
from src.reporting.decodings import Decodings
from src.reporting.key_points import KeyPointReport, key_points
from src.reporting.outcomes import against_base, arm_accuracy, compared, primary, transfer
from src.reporting.paper import beside_the_paper
from src.reporting.plots import Plot
from src.reporting.reward import reward_plots, reward_table
from src.reporting.samples import Sample
from src.reporting.scaling import trend
from src.reporting.selection import Selection, selection
from src.reporting.table import EMPTY_TABLE, Cell, Table, sources
from src.reporting.tables import Sharing
from src.reporting.text import duration, interval, percent, points, signed_interval, words
from src.reporting.verdict import Contrast, answer, contrasts

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Fact:
    """A large number at the top of the page."""

    label: str
    cell: Cell


@dataclass(frozen=True)
class PageView:
    """All that a report says, before anybody chose how to set it."""

    study: Study
    baseline: Arm
    shown: JobRecord | None  # the job whose inside is shown: the baseline's first complete one
    selecting: JobRecord | None  # the job whose selection is shown
    answer: list[str]
    facts: list[Fact]
    contrasts: list[Contrast]
    tables: dict[str, Table]
    plots: dict[str, list[Plot]]
    sharing: Sharing
    samples: list[Sample]
    selection: Selection
    decodings: Decodings
    corpus: CorpusSummary
    key_points: KeyPointReport
    origins: dict[str, str]
    benchmarks: tuple[str, ...]
    evaluations: tuple[Manifest, ...]


def view(study: Study, baseline: Arm) -> PageView:
    """Work out everything a report shows."""
    found = contrasts(study, baseline)
    shown = next(iter(baseline.complete or study.complete), None)
    several = len(study.arms) > 1
    decoded = of_decodings.decodings(study)
    judged = next((job for job in study.complete if job.manifest("reward")), None)  # a majority asks none
    made = {
        "reward": reward_table(judged),
        "decodings": decoded.table if decoded else EMPTY_TABLE,
        "accuracy": tables.accuracy(study, primary(study.complete)),
        "transfer": tables.accuracy(study, transfer(study.complete)),
        "arms": tables.arms(study, baseline, found) if several else EMPTY_TABLE,
        "paper": beside_the_paper(study),
        "stages_by_arm": tables.stages_by_arm(study, baseline),
        "stages": tables.by_stage(shown) if shown else EMPTY_TABLE,
        "funnel": tables.funnel(shown) if shown else EMPTY_TABLE,
        "filters": tables.filters(study),
        "pass_at_k": tables.pass_at_k(study),
        "corpora": corpora(study),
        "effort": tables.effort(study),
        "jobs": tables.jobs(study),
    }
    selecting = _selecting(study, shown)
    select = selecting.manifest("select") if selecting else None
    chosen = selection(select)
    drawn: dict[str, list[Plot | None]] = {
        "arms": [
            of_decodings.plot(decoded),
            comparing.means(study, baseline),
            comparing.differences(study, baseline, found),
            comparing.curve(trend(study)),
        ]
        if several
        else [],
        "accuracy": [plots.accuracy(study)],
        "stages": [*plots.stages(shown)] if shown else [],
        "reward": [*reward_plots(judged)],
        "losses": [*plots.losses(study)],
        "funnel": [plots.funnel(shown)] if shown else [],
        "times": [plots.times(study)],
        "selection": [plots.influence(chosen.values, chosen.candidates, select)] if select else [],
    }
    return PageView(
        study=study,
        baseline=baseline,
        shown=shown,
        selecting=selecting,
        answer=decoded.sentences if decoded else answer(study, baseline),
        facts=_facts(study),
        contrasts=found,
        tables=made,
        plots={name: [plot for plot in some if plot] for name, some in drawn.items()},
        sharing=tables.sharing(study),
        samples=samples.samples(shown) if shown else [],
        selection=chosen,
        decodings=decoded,
        corpus=corpus(shown.manifest("clean")) if shown else CorpusSummary(),
        key_points=key_points(shown) if shown else KeyPointReport(),
        origins=_origins(study),
        benchmarks=compared(study.complete),
        evaluations=plots.evaluations(study.complete),
    )


def _selecting(study: Study, shown: JobRecord | None) -> JobRecord | None:
    """The shown job, or the first of the study that has a selection to show: a baseline may do without."""
    jobs = [shown, *study.complete] if shown else []
    return next((job for job in jobs if selection(job.manifest("select"))), None)


def render(shown: PageView) -> str:
    """The page as HTML."""
    return template("report.html").render(view=shown, study=shown.study, config=_config(shown.shown))


def template(name: str) -> jinja2.Template:
    """A page's template, with the filters that they share."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"prose": prose.to_html, "excerpt": prose.excerpt, "words": words, "duration": duration}
    return environment.get_template(name)


def _facts(study: Study) -> list[Fact]:
    """What a reader wants to know before reading: the student, its gain, the questions, the cost."""
    done, names = study.complete, compared(study.complete)
    if not done:
        return []
    at = sources(job.manifest("evaluate") for job in done)
    facts = []
    result = against_base(done, names) if len(study.arms) == 1 else None
    if result:
        ours, gap = result.ours, result.difference
        facts += [
            Fact("student", Cell(f"{percent(ours.mean)} %", interval(ours.low, ours.high), at)),
            Fact("base", Cell(f"{percent(result.theirs.mean)} %", "", at)),
            Fact("gain, points", Cell(points(gap.mean), signed_interval(gap.low, gap.high), at)),
        ]
    else:
        ranked = [(arm, arm_accuracy(arm, names, STUDENT)) for arm in study.arms]
        facts += [
            Fact(arm.name, Cell(f"{percent(e.mean)} %", interval(e.low, e.high), at)) for arm, e in ranked[:3] if e
        ]
    if (bill := tables.costs(done)).dollars:
        job = f"{bill.dollars:,.2f}"
        each = Cell(f"{bill.dollars_per_kept:,.4f}", f"{job} a job", bill.sources)
        whole = Fact("dollars a job", Cell(job, "", bill.sources))
        facts.append(Fact("dollars a kept problem", each) if bill.dollars_per_kept else whole)
    paid = tables.sharing(study)
    facts.append(Fact("computing time", Cell(duration(paid.paid_seconds), "", tuple(study.artifacts.values()))))
    return facts


def _origins(study: Study) -> dict[str, str]:
    """Commits and package versions behind the study's artifacts; all of them, where they differ."""
    made = study.artifacts.values()
    commits = dict.fromkeys(m.commit + (" with uncommitted changes" if m.dirty else "") for m in made if m.commit)
    versions: dict[str, dict[str, None]] = {}
    for manifest in made:
        for package, version in manifest.packages.items():
            versions.setdefault(package, {})[version] = None
    rows = {"commit": ", ".join(commits)} if commits else {}
    if machines := dict.fromkeys(m.machine for m in made if m.machine):
        rows["machine"] = ", ".join(machines)
    return rows | {package: ", ".join(found) for package, found in sorted(versions.items())}


def _config(job: JobRecord | None) -> str:
    return json.dumps(job.config, indent=2, ensure_ascii=False) if job and job.config else ""

"""Reads what the runs of a study left on disk into plain dataclasses.

Nothing here fails because something is missing: a job that was killed, a manifest that was deleted or a torn line is
exactly what a report must be able to tell. What cannot be read is listed in `Study.remarks`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from src.core.records import STUDENT
from src.reporting.planned import jobs_not_started

PASS = "pass@"
NO_CHOICE = {"seed", "study", "name", "plan", "outputs", "compute", "tracker", "hydra", "experiment"}


@dataclass(frozen=True)
class Counts:
    """Rows that entered a stage and how they left it."""

    entered: int = 0
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        return sum(self.rejected.values()) + sum(self.failed.values())


@dataclass(frozen=True)
class Manifest:
    """A finished artifact of the store, as it described itself."""

    path: Path
    stage: str
    key: str
    config: dict[str, Any]
    counts: Counts
    metrics: dict[str, float]
    seconds: float
    peak_memory_mb: float
    packages: dict[str, str]
    commit: str
    dirty: bool
    started: str
    command: str
    machine: str = ""
    gpus: int = 0

    @property
    def short(self) -> str:
        """Enough of the key to find the folder by eye."""
        return self.key[:10]

    @property
    def anchor(self) -> str:
        """The id of its row under "Where the numbers come from"."""
        return f"{self.stage}-{self.short}"


@dataclass(frozen=True)
class NodeRecord:
    """One of the steps of one job. `manifest` is None until the stage is complete."""

    name: str
    kind: str
    key: str
    reused: bool
    seconds: float
    manifest: Manifest | None


@dataclass(frozen=True)
class Accuracy:
    """One line of `accuracy.json`; shares lie in [0, 1]. `group` is "all" or "stage:<education stage>"."""

    model: str
    benchmark: str
    group: str
    n: int
    accuracy: float
    low: float
    high: float
    mean_tokens: float | None = None


@dataclass(frozen=True)
class JobRecord:
    """One run: one line of a sweep."""

    path: Path
    name: str
    label: str = ""  # the arm: the name without the seed
    overrides: tuple[str, ...] = ()
    command: str = ""
    seed: int | None = None
    number: int = 0
    status: str = "missing"
    error: str | None = None
    started: str = ""
    seconds: float = 0.0
    nodes: tuple[NodeRecord, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.status == "complete"

    @property
    def choices(self) -> tuple[str, ...]:
        """The overrides that make it another arm: not its seed, nor where and how it ran."""
        return tuple(sorted(o for o in self.overrides if o.lstrip("+~").split("=")[0].split(".")[0] not in NO_CHOICE))

    @property
    def chosen(self) -> dict[str, str]:
        """What it chose, by option; an option that was taken out (`~benchmark.mawps`) has no value."""
        parted = (choice.lstrip("+").partition("=") for choice in self.choices)
        return {name: value for name, _, value in parted}

    def manifest(self, kind: str) -> Manifest | None:
        """The artifact of the last stage of a kind: of several evaluations the student's, whose base came before."""
        return next(reversed(self.manifests(kind)), None)

    def manifests(self, kind: str) -> list[Manifest]:
        """The artifacts of all stages of a kind, in the order of their work."""
        return [node.manifest for node in self.nodes if node.kind == kind and node.manifest]

    @cached_property
    def accuracies(self) -> tuple[Accuracy, ...]:
        manifest = self.manifest("evaluate")
        rows = _read_json(manifest.path / "accuracy.json") if manifest else None
        return tuple(_pick(Accuracy, row) for row in rows) if isinstance(rows, list) else ()

    @property
    def pass_at_k(self) -> dict[str, dict[str, float]]:
        """Of the student by benchmark: pass@k, and "cumulative" where earlier rounds count as well."""
        manifest = self.manifest("evaluate")
        if manifest is None:
            return {}
        rows = _read_json(manifest.path / "accuracy.json")
        found: dict[str, dict[str, float]] = {}
        for row in rows if isinstance(rows, list) else ():
            if (row.get("group"), row.get("model")) == ("all", STUDENT):
                figures = {name: value for name, value in row.items() if name.startswith(PASS)}
                metric = f"{row['benchmark']}/cumulative"
                more = {"cumulative": manifest.metrics[metric]} if metric in manifest.metrics else {}
                found |= {row["benchmark"]: {**figures, **more}} if figures else {}
        return found


@dataclass(frozen=True)
class Arm:
    """The jobs that differ by their seed only."""

    name: str
    jobs: tuple[JobRecord, ...]

    @property
    def complete(self) -> tuple[JobRecord, ...]:
        return tuple(job for job in self.jobs if job.complete)


@dataclass(frozen=True)
class Study:
    """All jobs of a study, in the order of the sweep; unfinished ones included."""

    name: str
    jobs: tuple[JobRecord, ...]
    remarks: tuple[str, ...] = ()

    @property
    def complete(self) -> tuple[JobRecord, ...]:
        return tuple(job for job in self.jobs if job.complete)

    @property
    def question(self) -> str:
        """The question that the experiment's config asks, if it states one."""
        return next((str(q) for job in self.jobs if (q := job.config.get("question"))), "")

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        groups: dict[tuple[str, tuple[str, ...]], list[JobRecord]] = {}
        for job in self.jobs:
            groups.setdefault((job.label, job.choices), []).append(job)
        labels = [label for label, _ in groups]
        shared = set.intersection(*(set(choices) for _, choices in groups)) if groups else set()
        return tuple(
            Arm(label if labels.count(label) == 1 else _with_overrides(label, choices, shared), tuple(jobs))
            for (label, choices), jobs in groups.items()
        )

    @cached_property
    def artifacts(self) -> dict[str, Manifest]:
        """Every distinct artifact that a job stands on, by key, in the order of their work."""
        nodes = (node for name in self.node_names for job in self.jobs for node in job.nodes if node.name == name)
        return {node.key: node.manifest for node in nodes if node.manifest}

    @property
    def node_names(self) -> tuple[str, ...]:
        """The nodes that occur, in the order of their work; what only a later job has stands behind what it follows."""
        names: list[str] = []
        for job in self.jobs:
            place = 0
            for node in job.nodes:
                if node.name not in names:
                    names.insert(place, node.name)
                place = names.index(node.name) + 1
        return tuple(names)

    @property
    def kinds(self) -> dict[str, str]:
        """By node the kind of its stage, in the order of their work."""
        found = {node.name: node.kind for job in self.jobs for node in job.nodes}
        return {name: found[name] for name in self.node_names}

    @property
    def unchecked(self) -> list[str]:
        """Arms with a student whose corpus was not compared with all that it was asked, or that read fine-tuning rows
        which repeat a question: `pretrain.unchecked=allow`."""
        told = {
            "unchecked_questions": "the corpus was never compared with {:,} of the questions.",
            "sft_rows_that_repeat": "{:,} rows of the fine-tuning set repeat a question and were read.",
        }
        found = {arm.name: [m for job in arm.jobs if (m := job.manifest("pretrain"))] for arm in self.arms}
        most = {
            (arm, sentence): max((int(m.metrics.get(metric) or 0) for m in some), default=0)
            for arm, some in found.items()
            for metric, sentence in told.items()
        }
        return [f"{arm}: {sentence.format(n)}" for (arm, sentence), n in most.items() if n]

    @property
    def unisolated(self) -> list[str]:
        """Stages in which programs that models wrote ran without isolation: `programs=unisolated`."""
        counts = {m.stage: int(m.metrics.get("programs_unisolated") or 0) for m in self.artifacts.values()}
        return [f"{stage}: {n:,} programs of models ran without isolation." for stage, n in counts.items() if n]

    @property
    def missing_seeds(self) -> list[str]:
        """Holes in the grid of arms and seeds: jobs that left no trace at all."""
        seeds = sorted({job.seed for job in self.jobs if job.seed is not None})
        return [f"{arm.name}-s{seed}" for arm in self.arms for seed in seeds if seed not in {j.seed for j in arm.jobs}]


def studies(outputs: Path) -> list[str]:
    """The studies that left runs."""
    runs = outputs / "runs"
    return sorted(p.name for p in runs.iterdir() if p.is_dir() and not p.name.startswith(".")) if runs.is_dir() else []


def collect(outputs: Path, study: str) -> Study:
    """Read a study.

    Raises:
        UserError: no run of that name; lists the studies that exist.
    """
    folder = outputs / "runs" / study
    if not study or study not in studies(outputs):
        raise _unknown(outputs, study)
    remarks: list[str] = []
    jobs = [_read_job(path, outputs / "store", remarks) for path in sorted(folder.iterdir()) if _is_job(path)]
    if remark := jobs_not_started(folder, len(jobs)):
        remarks.append(remark)
    jobs.sort(key=lambda job: (job.number, job.started or "9", job.name))
    return Study(study, tuple(jobs), tuple(remarks))


def read_curve(manifest: Manifest, name: str = "loss") -> list[tuple[int, float]]:
    """A stage's curve from `metrics.jsonl`: (step, value), the last word for a step that was logged twice."""
    path = manifest.path / "metrics.jsonl"
    points: dict[int, float] = {}
    for row in json_lines(path):
        if isinstance(row.get(name), int | float) and isinstance(row.get("step"), int):
            points[row["step"]] = float(row[name])
    return sorted(points.items())


def _is_job(path: Path) -> bool:
    """A folder with a `run.json`, or one that a job was about to fill (Hydra's own folders start with a dot)."""
    return path.is_dir() and not path.name.startswith(".")


def _unknown(outputs: Path, study: str) -> UserError:
    known = studies(outputs)
    if not known:
        return UserError(f"No study '{study}': {outputs / 'runs'} holds no runs.", "Run one first: python -m src.train")
    close = difflib.get_close_matches(study, known, n=1, cutoff=0.5)
    hint = f"Did you mean study={close[0]}? " if close else ""
    return UserError(f"No study '{study}' in {outputs / 'runs'}.", f"{hint}There are: {', '.join(known)}.")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file; none where there is no file."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the torn last line of a stage that was killed while it wrote
            if isinstance(row, dict):
                yield row


def _pick(record: type, row: dict[str, Any]) -> Any:
    """Build a dataclass from the keys it knows, so that newer files do not break older readers."""
    return record(**{name: row[name] for name in record.__dataclass_fields__ if name in row})  # type: ignore[attr-defined]


def _read_job(path: Path, store: Path, remarks: list[str]) -> JobRecord:
    row = _read_json(path / "run.json")
    if not isinstance(row, dict):
        what = "cannot be read" if (path / "run.json").exists() else "is missing"
        remarks.append(f"{path.name}: run.json {what}; the job counts as missing.")
        return JobRecord(path, path.name, path.name)
    nodes = tuple(_read_node(node, store) for node in row.get("nodes", ()))
    job = JobRecord(
        path=path,
        name=path.name,
        label=_without_seed(str(row.get("name") or path.name), row.get("seed")),
        overrides=tuple(row.get("overrides") or ()),
        command=row.get("command") or "",
        seed=row.get("seed"),
        number=row.get("number") or 0,
        status=row.get("status") or "missing",
        error=(row.get("error") or "").removeprefix("UserError: ") or None,
        started=row.get("started") or "",
        seconds=row.get("seconds") or 0.0,
        nodes=nodes,
        config=row.get("config") or {},
    )
    gone = [node.name for node in nodes if node.manifest is None]
    if job.complete and gone:
        remarks.append(f"{job.name}: the store no longer holds {', '.join(gone)}; run its command again to restore.")
    return job


def _without_seed(name: str, seed: int | None) -> str:
    """Folders are called name-s0, name-s1, ...; a record may repeat that or say the name alone."""
    return name if seed is None else re.sub(rf"[-_](s|seed)[=_]?{seed}$", "", name) or name


def _read_node(row: dict[str, Any], store: Path) -> NodeRecord:
    kind, key = row.get("kind") or "", row.get("key") or ""
    manifest = read_manifest(store / kind / key) if kind and key else None
    return NodeRecord(row.get("node") or kind, kind, key, bool(row.get("reused")), row.get("seconds") or 0.0, manifest)


def read_manifest(folder: Path) -> Manifest | None:
    """An artifact's manifest, or None where there is none: then the artifact is not complete."""
    row = _read_json(folder / "manifest.json")
    if not isinstance(row, dict):
        return None
    counts, git = row.get("counts") or {}, row.get("git") or {}
    return Manifest(
        path=folder,
        stage=row.get("stage") or folder.parent.name,
        key=row.get("key") or folder.name,
        config=row.get("config") or {},
        counts=Counts(
            counts.get("in") or 0, counts.get("kept") or 0, counts.get("rejected") or {}, counts.get("failed") or {}
        ),
        metrics=row.get("metrics") or {},
        seconds=row.get("seconds") or 0.0,
        peak_memory_mb=row.get("peak_memory_mb") or 0.0,
        gpus=row.get("gpus") or 0,
        packages=row.get("packages") or {},
        commit=git.get("commit") or "",
        dirty=bool(git.get("dirty")),
        started=row.get("started") or "",
        command=row.get("command") or "",
        machine=row.get("machine") or "",
    )


def _with_overrides(label: str, choices: tuple[str, ...], shared: set[str]) -> str:
    own = [choice for choice in choices if choice not in shared]
    return " ".join([label, *own])

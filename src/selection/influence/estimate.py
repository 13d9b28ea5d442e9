"""The influence estimate itself: warm-up, gradients at every checkpoint, scores. Options in `src.selection.influence`.

A sweep over rules (fraction, top_k, threshold) asks for the same scores again and again: they are kept in the shared
cache under the hash of all that they depend on, and computed once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from src.core.errors import UserError
from src.core.fingerprint import describe
from src.core.records import Example, Score, content_id, read_table, seed_from, write_table
from src.modeling.moments import Moment
from src.selection.base import OVERALL, RULES, Ranking, Reference
from src.selection.fidelity import spearman
from src.selection.influence.agreement import EXACT, cosines
from src.selection.influence.collect import Job, Open, collect
from src.selection.influence.layers import Parameter
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import add_scores, task_vector, weights, with_overall
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import hashed_files, warm_up
from src.selection.packed import Encoded, batches

if TYPE_CHECKING:
    from src.selection.influence import Influence

VERSION = 2  # of the meaning of the cached scores
VECTOR = 512  # numbers by which candidates are told apart: a cosine is off by some 0.05


def rank(options: Influence, candidates: Sequence[Example], reference: Reference) -> Ranking:
    """Scores of all candidates, from the cache where they have been computed before."""
    candidates = sorted(candidates, key=lambda candidate: candidate.id)
    targets = options.target_examples()
    home = reference.cache / "influence" / _key(options, candidates, targets, reference)
    home.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not home.exists():
            _save(_estimate(options, candidates, targets, reference), home)
        return _read(home)


@dataclass
class _Estimate:
    """What the checkpoints add up to, one `add` after the other.

    alone: by checkpoint, every candidate's score by that checkpoint only. probed: of the few that are scored exactly,
    by kind of projection. norms: of the last checkpoint's directions, each with its response's tokens.
    """

    options: Influence
    candidates: list[Example]
    targets: dict[str, list[Example]]
    reference: Reference
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    alone: list[dict[str, float]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    loss: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    probed: dict[str, Tensor] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    norms: list[tuple[float, int]] = field(default_factory=list)

    def add(self, checkpoint: Moment, share: float, what: str) -> None:
        """Project all gradients at one checkpoint and add its share of the scores."""
        job, wanted = self._job(checkpoint), self.options.target_direction
        with Open(job) as opened:
            aims = {name: _usable(name, opened.encode(examples), job) for name, examples in self.targets.items()}
            tasks = {
                name: task_vector(opened.projector.project(b, wanted)[0] for b in batches(rows, job.batch_tokens))
                for name, rows in aims.items()
            }
            with self.reference.progress(what, total=len(self.candidates), unit="candidates") as bar:
                collect(opened, self.candidates, self.reference.workers, bar)
            with GradientStore(job.folder, job.sketch.dimension) as store:
                self._add_scores(store, tasks, share)
                self._add_vectors(store, share)
                self.skipped |= store.skipped()
                kept = {id: fact for id, fact in store.facts.items() if "loss" in fact}
                self.loss |= {id: fact["loss"] for id, fact in kept.items()}
                self.norms = [(fact["norm"], fact["tokens"]) for fact in kept.values()]
            self._probe(opened, aims, share)
            self.facts["gradient_size"] = opened.gradients.size

    def ranking(self) -> Ranking:
        """The sum. Candidates that any checkpoint had to skip are left out."""
        for id in self.skipped:
            self.scores.pop(id, None)
        if not self.scores:
            raise UserError(
                f"None of the {len(self.candidates)} candidates has a usable gradient: {_reasons(self.skipped)}.",
                "Look at the candidates' responses, at selector.warmup.sequence_length and at the loss of the warm-up.",
            )
        self.facts["checkpoints"] = len(self.alone)
        return Ranking(
            scores=[Score(*row) for row in with_overall(self.scores)],
            skipped=dict(sorted(self.skipped.items())),
            loss=dict(sorted(self.loss.items())),
            facts=self.facts,
            agreement=self._agreement(),
            vectors={id: self.vectors[id] for id in sorted(self.scores)},
        )

    def _job(self, checkpoint: Moment) -> Job:
        options = self.options
        return Job(
            model=self.reference.model,
            checkpoint=checkpoint,
            recipe=options.warmup,
            trainer=self.reference.trainer,
            layers=options.layers,
            direction=options.direction,
            reduction=options.reduction,
            sketch=Sketch(options.dimension, options.projection_seed),
            batch_tokens=options.batch_tokens,
            folder=self.reference.work / "gradients" / checkpoint.folder.name,
        )

    def _add_scores(self, store: GradientStore, tasks: dict[str, Tensor], share: float) -> None:
        mine: dict[str, dict[str, float]] = {}
        add_scores(mine, store.blocks(), tasks, 1.0)
        self.alone.append({id: max(by_task.values()) for id, by_task in mine.items()})
        for id, by_task in mine.items():
            total = self.scores.setdefault(id, dict.fromkeys(by_task, 0.0))
            for task, value in by_task.items():
                total[task] += share * value

    def _add_vectors(self, store: GradientStore, share: float) -> None:
        """A sketch of the sketches, short enough to keep: inner products are about the weighted mean of the cosines."""
        short, checkpoint = Sketch(VECTOR, seed=0), Parameter(f"checkpoint {len(self.alone)}", 1, store.dimension)
        for ids, rows in store.blocks():
            into = torch.zeros(len(rows), VECTOR)
            short.add(into, checkpoint, 0, rows * share**0.5)
            for id, row in zip(ids, into.half().numpy(), strict=True):
                self.vectors[id] = self.vectors[id] + row if id in self.vectors else row

    def _probe(self, opened: Open, aims: dict[str, list[Encoded]], share: float) -> None:
        """Exact scores of a few candidates, drawn by id, towards a few examples of every target."""
        limit = self.options.fidelity_rows
        drawn = sorted(self.candidates, key=lambda row: (seed_from("fidelity", row.id), row.id))[:limit]
        if rows := [row for row in opened.encode(drawn) if row.response_tokens]:
            few = {name: examples[:limit] for name, examples in aims.items()}
            for name, values in cosines(opened, rows, few, self.options.target_direction).items():
                self.probed[name] = self.probed.get(name, 0) + share * values

    def _agreement(self) -> dict[str, float | None]:
        """Rank correlations: of the sketches with the exact scores, of the norm that the score leaves out with the
        length, and of each checkpoint with the whole."""
        finite = self.probed[EXACT].isfinite().all(1) if self.probed else None
        overall = {name: values[finite].amax(1).tolist() for name, values in self.probed.items()}
        exact = overall.pop(EXACT, [])
        agreement = {f"exact scores, {name}": spearman(exact, values) for name, values in overall.items()}
        agreement["norm of the direction, response tokens"] = spearman(*zip(*self.norms)) if self.norms else None
        if len(self.alone) > 1:
            ids = sorted(self.scores)
            whole = [max(self.scores[id].values()) for id in ids]
            for i, alone in enumerate(self.alone):
                agreement[f"checkpoint {i + 1} alone"] = spearman(whole, [alone[id] for id in ids])
        return agreement


def _estimate(
    options: Influence, candidates: list[Example], targets: dict[str, list[Example]], reference: Reference
) -> Ranking:
    estimate, checkpoints = _Estimate(options, candidates, targets, reference), warm_up(options, candidates, reference)
    shares = weights([checkpoint.lr for checkpoint in checkpoints])
    for i, (checkpoint, share) in enumerate(zip(checkpoints, shares)):
        estimate.add(checkpoint, share, f"gradients at checkpoint {i + 1} of {len(checkpoints)}")
    return estimate.ranking()


def _usable(name: str, rows: list[Encoded], job: Job) -> list[Encoded]:
    usable = [row for row in rows if row.response_tokens]
    if not usable:
        raise UserError(
            f"No example of target '{name}' has a response within selector.warmup.sequence_length="
            f"{job.recipe.sequence_length} tokens.",
            "Raise it, or choose a target with shorter questions.",
        )
    return usable


def _reasons(skipped: dict[str, str]) -> str:
    reasons = sorted(set(skipped.values()))
    return ", ".join(f"{list(skipped.values()).count(reason)} x {reason}" for reason in reasons)


def _key(options: Influence, candidates: list[Example], targets: dict[str, list[Example]], reference: Reference) -> str:
    """Hash of all that the scores depend on, and of nothing else: not the rule, not the batch size."""
    elsewhere = {*RULES, "batch_rows", "targets"}
    names = (field.name for field in dataclasses.fields(options) if field.name not in elsewhere)
    settings = {name: describe(getattr(options, name)) for name in names}
    settings |= {"version": VERSION, "seed": reference.seed}
    return content_id(
        json.dumps(settings, sort_keys=True, default=dataclasses.asdict),
        json.dumps(hashed_files(reference.model), sort_keys=True),
        *(content_id(*dataclasses.astuple(row)) for row in candidates),
        *(content_id(name, *dataclasses.astuple(row)) for name in sorted(targets) for row in targets[name]),
    )


def _save(ranking: Ranking, home: Path) -> None:
    """Write beside, then rename: the folder exists = the scores are complete."""
    part = home.with_suffix(f".part{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    write_table(part / "scores", Score, ranking.scores)
    np.save(part / "vectors.npy", np.stack(list(ranking.vectors.values())))  # rows in the order of the scores' ids
    rest = {name: getattr(ranking, name) for name in ("skipped", "loss", "facts", "agreement")}
    (part / "rest.json").write_text(json.dumps(rest, indent=1))
    part.replace(home)


def _read(home: Path) -> Ranking:
    scores = list(read_table(home / "scores", Score))
    ids = (score.id for score in scores if score.target == OVERALL)
    vectors = dict(zip(ids, np.load(home / "vectors.npy", mmap_mode="r"), strict=True))
    return Ranking(scores, vectors=vectors, **json.loads((home / "rest.json").read_text()))

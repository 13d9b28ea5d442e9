"""The influence estimate itself: warm-up, gradients at every checkpoint, scores. Its options stand in the package."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from src.core.memory import release
from src.core.progress import Progress
from src.core.records import Example
from src.modeling.optimizer_checkpoints import OptimizerCheckpoint
from src.selection.base import Reference, none_usable, nothing_to_read
from src.selection.candidates import ById
from src.selection.fidelity import spearman
from src.selection.influence.agreement import EXACT, cosines, passes, variants
from src.selection.influence.collect import LoadedCheckpoint, ProjectionJob, collect, collect_together
from src.selection.influence.curvature import Whitening
from src.selection.influence.layers import Parameter
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import mean_cosines, task_vector, weights
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import warm_up
from src.selection.packed import Encoded, batches
from src.selection.ranking import Ranking, by_target
from src.selection.score_cache import cached
from src.selection.vectors import VectorFile

if TYPE_CHECKING:
    from src.selection.influence import Influence

log = logging.getLogger(__name__)

VERSION = 5  # of the meaning of the cached scores
FLOAT32 = "computed in float32"
VECTOR = 512  # numbers by which candidates are told apart: a cosine is off by some 0.05


def rank(options: Influence, candidates: Sequence[Example], reference: Reference) -> Ranking:
    """Scores of all candidates, from the cache where they have been computed before."""
    pool = ById(candidates)
    targets = options.target_examples()
    return cached(
        "influence",
        VERSION,
        options,
        pool,
        targets,
        reference,
        compute=lambda: _estimate(options, pool, targets, reference).ranking(),
    )


@dataclass(frozen=True)
class _Read:
    """What was read at one checkpoint. targets: the examples by target; shown: by target, their projected gradients;
    rows: the candidates that are scored exactly."""

    targets: dict[str, list[Encoded]]
    shown: dict[str, Tensor]
    rows: list[Encoded]


class _Estimate:
    """What the checkpoints add up to, one `add` after the other. Arrays have a row for each candidate, by number.

    alone: by checkpoint, every candidate's score by that checkpoint only. loss, norms, tokens: at the last checkpoint,
    of the responses and of their directions. probed: of the few that are scored exactly, by kind of projection.
    """

    def __init__(
        self, options: Influence, candidates: ById, targets: dict[str, list[Example]], reference: Reference
    ) -> None:
        self.options, self.candidates, self.targets, self.reference = options, candidates, targets, reference
        self.scores = np.zeros((len(candidates), len(targets)))
        self.loss, self.norms, self.tokens = (np.full(len(candidates), np.nan) for _ in range(3))
        self.alone: list[np.ndarray] = []
        self.skipped: dict[str, str] = {}
        self.facts: dict[str, float] = {}
        self.probed: dict[str, Tensor] = {}
        self.room_for_float32 = True
        self.vectors = VectorFile(reference.work / "vectors.f16", len(candidates), VECTOR)

    def add(self, checkpoint: OptimizerCheckpoint, share: float, place: str) -> None:
        """Project all gradients at one checkpoint and add its share of the scores. place: which it is, in words."""
        job = self._job(checkpoint)
        read = self._read_alone(job, share, place)
        release()  # its model, before workers load theirs and the probe in float32 its own
        if self.reference.workers > 1:
            with self._candidates_bar(place) as bar:
                collect_together(job, self.candidates, self.reference.workers, bar)
        with GradientStore(job.folder, job.sketch.dimension) as store:
            self._add_store(store, read.shown, share)
        if job.recipe.precision == "bf16" and self.room_for_float32:
            self._probe_in_float32(job, read, share, f"exact scores in float32 {place}")
            release()  # before the model at the next checkpoint

    def _read_alone(self, job: ProjectionJob, share: float, place: str) -> _Read:
        """What this process reads with the model at the checkpoint: targets, the candidates that are scored exactly,
        and where there are no workers all candidates. No reference to the model is left when it returns."""
        with LoadedCheckpoint(job) as loaded:
            targets = {name: _usable(name, loaded.encode(examples), job) for name, examples in self.targets.items()}
            shown = self._project_targets(loaded, targets, place)
            if self.reference.workers == 1:
                with self._candidates_bar(place) as bar:
                    collect(loaded, self.candidates, bar)
            rows = [row for row in loaded.encode(self._drawn()) if row.response_tokens]
            self._probe(loaded, rows, targets, share, variants(job.sketch), f"exact scores {place}")
            self.facts["gradient_size"] = loaded.gradients.size
        return _Read(targets, shown, rows)

    def _candidates_bar(self, place: str) -> Progress:
        return self.reference.progress(f"gradients {place}", total=len(self.candidates), unit="candidates")

    def ranking(self) -> Ranking:
        """The sum. Candidates that any checkpoint had to skip are left out, of the file of vectors as well."""
        number = self.candidates.number
        kept = np.delete(np.arange(len(number)), [number[id] for id in self.skipped])
        self.facts["checkpoints"] = len(self.alone)
        self.vectors.keep(kept)
        return Ranking(
            ids=[self.candidates.ids[i] for i in kept.tolist()],
            scores=by_target(list(self.targets), self.scores[kept]),
            skipped=dict(sorted(self.skipped.items())),
            loss=self.loss[kept],
            facts=self.facts,
            agreement=self._agreement(kept),
            vectors=self.vectors.read(),
        )

    def _job(self, checkpoint: OptimizerCheckpoint) -> ProjectionJob:
        options = self.options
        return ProjectionJob(
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

    def _project_targets(
        self, loaded: LoadedCheckpoint, targets: Mapping[str, list[Encoded]], place: str
    ) -> dict[str, Tensor]:
        """By target, the projected gradients of its examples."""
        shown: dict[str, list[Tensor]] = {name: [] for name in targets}
        total = sum(map(len, targets.values()))
        with self.reference.progress(f"gradients of targets {place}", total=total, unit="examples") as bar:
            for name, rows in targets.items():
                for batch in batches(rows, loaded.job.batch_tokens):
                    shown[name].append(loaded.projector.project(batch, self.options.target_direction)[0])
                    bar.advance(len(batch))
        return {name: torch.cat(blocks) for name, blocks in shown.items()}

    def _add_store(self, store: GradientStore, shown: dict[str, Tensor], share: float) -> None:
        """What one checkpoint's gradients say, a block of them at a time. shown: by target, those of its examples.

        A vector is a sketch of the sketches, short enough to keep: inner products are about the weighted mean of the
        cosines.
        """
        self.skipped |= store.skipped()
        if len(self.skipped) == len(self.candidates):
            raise none_usable(
                self.skipped,
                "gradient",
                "Look at the candidates' responses, at selector.warmup.sequence_length and at the loss of the warm-up.",
            )
        short, checkpoint = Sketch(VECTOR, seed=0), Parameter(f"checkpoint {len(self.alone) + 1}", 1, store.dimension)
        scores = np.full_like(self.scores, np.nan)
        whiten = self._whitening(store)
        tasks = {name: task_vector([whiten(rows)]) for name, rows in shown.items()}
        for ids, rows, facts in store.blocks():
            rows = whiten(rows)
            here = [self.candidates.number[id] for id in ids]
            scores[here] = mean_cosines(tasks, rows).numpy()
            vectors = torch.zeros(len(rows), VECTOR)
            short.add(vectors, checkpoint, 0, rows * share**0.5)
            self.vectors.add(here, vectors.half().numpy())
            for name, column in (("loss", self.loss), ("norm", self.norms), ("tokens", self.tokens)):
                column[here] = [fact[name] for fact in facts]
        self.scores += share * scores
        self.alone.append(scores.max(1))

    def _whitening(self, store: GradientStore) -> Callable[[Tensor], Tensor]:
        """What is done to projected gradients before they are compared."""
        damping = self.options.curvature
        return Whitening((block.rows for block in store.blocks()), damping) if damping else lambda rows: rows

    def _drawn(self) -> Sequence[Example]:
        """The few candidates that are scored exactly as well."""
        return self.candidates.drawn(self.options.fidelity_rows, "fidelity")

    def _probe(
        self,
        loaded: LoadedCheckpoint,
        rows: Sequence[Encoded],
        targets: dict[str, list[Encoded]],
        share: float,
        sketches: Mapping[str, Sketch],
        what: str,
        exact: str = EXACT,
    ) -> None:
        """Scores of a few candidates towards a few examples of every target, without projection and with these."""
        if not rows:
            return
        few = {name: examples[: self.options.fidelity_rows] for name, examples in targets.items()}
        total = passes(rows, few)
        with self.reference.progress(what, total=total, unit="gradients") as bar:
            found = cosines(loaded, rows, few, self.options.target_direction, sketches, bar.advance)
        for name, values in found.items():
            name = exact if name == EXACT else name
            self.probed[name] = self.probed.get(name, 0) + share * values
        self.facts["scored_exactly"] = len(rows)

    def _probe_in_float32(self, job: ProjectionJob, read: _Read, share: float, what: str) -> None:
        """What rounding to 16 bits does to the exact scores. Takes twice their memory: where a card has no such room,
        nothing is told of it."""
        recipe = dataclasses.replace(job.recipe, precision="float32")
        trainer = dataclasses.replace(job.trainer, attention="auto")  # flash_attention_2 computes in 16 bits only
        whole = dataclasses.replace(job, recipe=recipe, trainer=trainer)
        try:
            with LoadedCheckpoint(whole) as loaded:
                self._probe(loaded, read.rows, read.targets, share, {}, what, exact=FLOAT32)
        except torch.OutOfMemoryError:
            log.warning("The scores are not compared with those in float32: the card has no room for such weights.")
            self.room_for_float32 = False
            self.probed.pop(FLOAT32, None)

    def _agreement(self, kept: np.ndarray) -> dict[str, float | None]:
        """Rank correlations: of the sketches with the exact scores, of the norm that the score leaves out with the
        length, and of each checkpoint with the whole."""
        finite = self.probed[EXACT].isfinite().all(1) if self.probed else None
        overall = {name: values[finite].amax(1).tolist() for name, values in self.probed.items()}
        exact = overall.pop(EXACT, [])
        agreement = {f"exact scores, {name}": spearman(exact, values) for name, values in overall.items()}
        agreement["norm of the direction, response tokens"] = spearman(self.norms[kept], self.tokens[kept])
        if len(self.alone) > 1:
            whole = self.scores[kept].max(1)
            for i, alone in enumerate(self.alone):
                agreement[f"checkpoint {i + 1} alone"] = spearman(whole, alone[kept])
        return agreement


def _estimate(
    options: Influence, candidates: ById, targets: dict[str, list[Example]], reference: Reference
) -> _Estimate:
    estimate, checkpoints = _Estimate(options, candidates, targets, reference), warm_up(options, candidates, reference)
    shares = weights([checkpoint.lr for checkpoint in checkpoints])
    for i, (checkpoint, share) in enumerate(zip(checkpoints, shares)):
        estimate.add(checkpoint, share, f"at checkpoint {i + 1} of {len(checkpoints)}")
    return estimate


def _usable(name: str, rows: list[Encoded], job: ProjectionJob) -> list[Encoded]:
    usable = [row for row in rows if row.response_tokens]
    if not usable:
        raise nothing_to_read(name, "warmup.sequence_length", job.recipe.sequence_length)
    return usable

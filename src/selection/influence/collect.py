"""Candidates in, projected gradients on disk: by one process, or by several that share the candidates out.

A candidate's row depends on nothing but itself, so any number of processes, batches and restarts makes the same store.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from src.core.processes import cores, helpers
from src.core.progress import Progress
from src.core.records import Example
from src.core.row_files import RowView
from src.modeling.loading import load_tokenizer, longest_row
from src.modeling.optimizer_checkpoints import OptimizerCheckpoint
from src.modeling.recipe import Recipe
from src.modeling.selftest import room
from src.modeling.trainer import Trainer
from src.selection.candidates import ById
from src.selection.influence.adam import Direction, Moments
from src.selection.influence.gradients import PerSampleGradients, Reduction
from src.selection.influence.projection import Sketch
from src.selection.influence.store import GradientStore
from src.selection.influence.warmup import load
from src.selection.packed import NO_RESPONSE, WINDOW, Encoded, batches, encode

NOT_FINITE = "gradient is not finite"
ZERO = "gradient is zero"


@dataclass(frozen=True)
class ProjectionJob:
    """What a process needs to take gradients at one checkpoint. `trainer` says on which device."""

    model: Path
    checkpoint: OptimizerCheckpoint
    recipe: Recipe
    trainer: Trainer
    layers: tuple[str, ...]
    direction: Direction
    reduction: Reduction
    sketch: Sketch
    batch_tokens: int
    folder: Path


@dataclass
class Projector:
    """Gradients of a batch, turned into update directions and projected, slice by slice of the backward pass."""

    gradients: PerSampleGradients
    moments: Moments
    sketch: Sketch

    def __post_init__(self) -> None:
        self._parameters = {parameter.name: parameter for parameter in self.gradients.parameters}

    def project(self, batch: Sequence[Encoded], direction: Direction) -> tuple[Tensor, Tensor]:
        """(projected directions: batch x dimension, float32; losses: batch), on the CPU."""
        projected = torch.zeros(len(batch), self.sketch.dimension, device=self.gradients.model.device)

        def sink(name: str, first: int, values: Tensor) -> None:
            values = self.moments.direction(direction, name, first, values)
            self.sketch.add(projected, self._parameters[name], first, values)

        losses = self.gradients.run(batch, sink)
        return projected.cpu(), losses.cpu()


class LoadedCheckpoint:
    """A job under way: the model is loaded, its layers are tracked. Use as a context manager.

    job: as given, but with passes of one row where the model does not keep packed rows apart.
    """

    def __init__(self, job: ProjectionJob):
        self.model = load(job.checkpoint, job.model, job.trainer, job.recipe)
        self.longest = longest_row(self.model.config, job.recipe.sequence_length)
        self.job = replace(job, batch_tokens=room(self.model, job.batch_tokens, self.longest))
        self.tokenizer = load_tokenizer(job.model)
        self.gradients = PerSampleGradients(self.model, job.layers, job.reduction)
        file = job.checkpoint.folder / "adam.safetensors"
        moments = Moments.load(file, job.checkpoint.step, self.gradients.parameters, job.recipe, self.model.device)
        self.projector = Projector(self.gradients, moments, job.sketch)

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Texts are cut to what the model has positions for, as the warm-up cuts them."""
        return encode(self.tokenizer, examples, self.longest)

    def __enter__(self) -> LoadedCheckpoint:
        self.gradients.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.gradients.__exit__(*exc)


def collect(loaded: LoadedCheckpoint, candidates: ById, bar: Progress) -> None:
    """Fill the job's store with all candidates that it does not hold yet."""
    job = loaded.job
    with GradientStore(job.folder, job.sketch.dimension) as store:
        todo = _todo(store, candidates, bar)
        for window in _windows(len(todo), WINDOW):
            rows = loaded.encode(todo[window])
            for count in fill(store, loaded.projector, rows, job.direction, job.batch_tokens):
                bar.advance(count)


def collect_together(job: ProjectionJob, candidates: ById, workers: int, bar: Progress) -> None:
    """The same by several processes, each with a model and a shard of its own; windows go to whoever is free. The first
    card holds one of them: the caller's model should be gone by then."""
    with GradientStore(job.folder, job.sketch.dimension) as store:
        todo = _todo(store, candidates, bar)
    if not todo:
        return
    workers = min(workers, len(todo))
    number = multiprocessing.get_context("spawn").Value("i", 0)
    windows = _windows(len(todo), min(WINDOW, -(-len(todo) // (2 * workers))))
    with helpers(workers, _open, (job, todo, workers, number)) as pool:
        try:
            for done in as_completed([pool.submit(_settle, window) for window in windows]):
                bar.advance(done.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or the rest would be done before the error is seen
            raise


def _todo(store: GradientStore, candidates: ById, bar: Progress) -> RowView[Example]:
    """The candidates that the store does not hold; the bar counts those that it holds."""
    done = store.done()
    todo = candidates.some(number for id, number in candidates.number.items() if id not in done)
    bar.found(len(candidates) - len(todo))
    return todo


_mine: tuple[LoadedCheckpoint, GradientStore, RowView[Example]] | None = None


def _open(job: ProjectionJob, todo: RowView[Example], workers: int, number: Any) -> None:
    """Once in each process."""
    global _mine
    with number.get_lock():
        me, number.value = number.value, number.value + 1
    if torch.cuda.is_available() and job.trainer.device != "cpu":
        torch.cuda.set_device(me % torch.cuda.device_count())
    threads = job.trainer.threads or max(1, cores() // workers)
    loaded = LoadedCheckpoint(replace(job, trainer=replace(job.trainer, threads=threads))).__enter__()  # never left
    _mine = loaded, GradientStore(job.folder, job.sketch.dimension, shard=str(me)), todo


def _settle(window: slice) -> int:
    assert _mine is not None
    loaded, store, todo = _mine
    rows = loaded.encode(todo[window])
    return sum(fill(store, loaded.projector, rows, loaded.job.direction, loaded.job.batch_tokens))


def fill(
    store: GradientStore, projector: Projector, rows: Sequence[Encoded], direction: Direction, batch_tokens: int
) -> Iterator[int]:
    """Store the normalised projections of all rows; yield how many candidates each step has settled.

    A row without response tokens, or whose gradient is zero or not finite, is recorded as skipped, with the reason.
    """
    for row in rows:
        if not row.response_tokens:
            store.skip(row.id, NO_RESPONSE)
            yield 1
    for batch in batches((row for row in rows if row.response_tokens), batch_tokens):
        projected, losses = projector.project(batch, direction)
        norms = projected.norm(dim=1)
        good = torch.isfinite(norms) & torch.isfinite(losses) & (norms > 0)
        if len(batch) > 1 and not good.all():  # where attention is a mask, not-a-number reaches the neighbours
            for row in batch:
                yield from fill(store, projector, [row], direction, batch_tokens)
            continue
        for i in (~good).nonzero().flatten().tolist():
            store.skip(batch[i].id, ZERO if norms[i] == 0 and torch.isfinite(losses[i]) else NOT_FINITE)
        kept = good.nonzero().flatten().tolist()
        facts = [_facts(batch[i], losses[i], norms[i]) for i in kept]
        store.append([batch[i].id for i in kept], projected[kept] / norms[kept, None], facts)
        yield len(batch)


def _facts(row: Encoded, loss: Tensor, norm: Tensor) -> dict[str, float]:
    return {"loss": round(float(loss), 6), "tokens": row.response_tokens, "norm": float(f"{float(norm):.6g}")}


def _windows(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]

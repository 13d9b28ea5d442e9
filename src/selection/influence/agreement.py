"""How far can the projection be trusted? Exact scores of a few candidates, beside those of several sketches.

Nothing is assumed of the sketch: the exact cosines are added up slice by slice in the same backward passes, with one
vector of the gradient's full length for each task and none for the candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from src.selection.influence.adam import Direction
from src.selection.influence.collect import LoadedCheckpoint
from src.selection.influence.layers import Sink
from src.selection.influence.projection import Sketch
from src.selection.influence.scoring import task_vector
from src.selection.packed import Encoded, batches

EXACT = "exact"


def variants(sketch: Sketch) -> dict[str, Sketch]:
    """The sketch in use, the same with other seeds, and others shorter and longer."""
    found = {f"dimension {sketch.dimension:,}, as used": sketch}
    found |= {f"seed {sketch.seed + i}": replace(sketch, seed=sketch.seed + i) for i in (1, 2)}
    sizes = (sketch.dimension // 16, sketch.dimension // 4, sketch.dimension * 4)
    return found | {f"dimension {size:,}": replace(sketch, dimension=size) for size in sizes if size}


def cosines(
    loaded: LoadedCheckpoint,
    rows: Sequence[Encoded],
    tasks: Mapping[str, Sequence[Encoded]],
    target_direction: Direction,
    sketches: Mapping[str, Sketch],
    advance: Callable[[int], None] = lambda rows: None,
) -> dict[str, Tensor]:
    """By sketch, and "exact" without one: the mean cosine of every row with every task, rows x tasks, rows by
    length. advance: called with the number of rows of each pass, of `passes` in all."""
    probe = _Probe(loaded, sketches, advance)
    probe.set_targets(tasks, target_direction)
    return probe.measure(rows)


def passes(rows: Sequence[Encoded], tasks: Mapping[str, Sequence[Encoded]]) -> int:
    """How many rows `cosines` reads: those of the tasks twice."""
    return len(rows) + 2 * sum(map(len, tasks.values()))


class _Probe:
    def __init__(self, loaded: LoadedCheckpoint, sketches: Mapping[str, Sketch], advance: Callable[[int], None]):
        self.loaded, self.sketches, self.advance = loaded, sketches, advance
        self.device = loaded.model.device
        self.parameters = {parameter.name: parameter for parameter in loaded.gradients.parameters}
        self.exact: list[dict[str, Tensor]] = []  # by task: the mean of its normalised gradients, in full length
        self.projected: dict[str, list[Tensor]] = {name: [] for name in sketches}

    def set_targets(self, tasks: Mapping[str, Sequence[Encoded]], direction: Direction) -> None:
        for rows in tasks.values():
            whole = {name: torch.zeros(p.size, device=self.device) for name, p in self.parameters.items()}
            parts: dict[str, list[Tensor]] = {name: [] for name in self.sketches}
            for batch in self._batches(rows):
                norms = self._pass(batch, direction)[0].sqrt() * len(rows)
                _, sketched = self._pass(batch, direction, partial(_add_mean, whole, norms))
                for name, values in sketched.items():
                    parts[name].append(values)
            self.exact.append(whole)
            for name, blocks in parts.items():
                self.projected[name].append(task_vector(blocks))

    def measure(self, rows: Sequence[Encoded]) -> dict[str, Tensor]:
        found: dict[str, list[Tensor]] = {name: [] for name in (EXACT, *self.sketches)}
        for batch in self._batches(rows):
            dots = torch.zeros(len(batch), len(self.exact), device=self.device)
            squares, sketched = self._pass(batch, self.loaded.job.direction, partial(self._add_dots, dots))
            found[EXACT].append((dots / squares.sqrt()[:, None]).cpu())
            for name, values in sketched.items():
                unit = torch.nn.functional.normalize(values, dim=1)
                found[name].append((unit @ torch.stack(self.projected[name]).T).cpu())
        return {name: torch.cat(blocks) for name, blocks in found.items()}

    def _pass(
        self, batch: Sequence[Encoded], direction: Direction, also: Sink | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(squared norms of the directions, and, if slices are handed to `also`, their sketches)."""
        squares = torch.zeros(len(batch), device=self.device)
        sketched = {n: torch.zeros(len(batch), s.dimension, device=self.device) for n, s in self.sketches.items()}

        def sink(name: str, first: int, values: Tensor) -> None:
            values = self.loaded.projector.moments.direction(direction, name, first, values)
            squares.add_(values.square().sum(1))
            if also:
                also(name, first, values)
                for variant, sketch in self.sketches.items():
                    sketch.add(sketched[variant], self.parameters[name], first, values)

        self.loaded.gradients.run(batch, sink)
        self.advance(len(batch))
        return squares, sketched

    def _add_dots(self, dots: Tensor, name: str, first: int, values: Tensor) -> None:
        for task, whole in enumerate(self.exact):
            dots[:, task] += values @ whole[name][first : first + values.shape[1]]

    def _batches(self, rows: Sequence[Encoded]) -> list[list[Encoded]]:
        return list(batches(rows, self.loaded.job.batch_tokens))


def _add_mean(whole: dict[str, Tensor], norms: Tensor, name: str, first: int, values: Tensor) -> None:
    whole[name][first : first + values.shape[1]] += (values / norms[:, None]).sum(0)

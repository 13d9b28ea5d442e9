"""Selection by gradient influence: how far would training on a candidate move the model towards the target tasks?

LESS (arXiv 2402.04333) in three steps: warm the reference model up on a sample of the candidates and keep checkpoints
with Adam's moments; at each checkpoint project every candidate's Adam direction and every target's gradient; score by
cosine. This module holds the options; `src.selection.influence.estimate` does the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import ClassVar, Literal

from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import Example
from src.modeling.estimate import pass_tokens, tokens_read
from src.modeling.flops import TO_ACTIVATIONS, TRAINING, gpu_hours
from src.modeling.memory import gradient_bytes, linear_layers, training_bytes
from src.modeling.recipe import Recipe
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer
from src.selection.base import Ranking, Reference, Targeted


@dataclass(frozen=True, kw_only=True)
class Influence(Targeted):
    """Options of the estimate; each target is a task.

    warmup: the recipe that trains on `warmup_fraction` of the candidates (at least `warmup_rows`).
    checkpoints: this many, at equal distances, the last at the end.
    layers: shell patterns of the linear layers whose gradients count ("*.lora_*" with a LoRA recipe).
    direction, target_direction: of candidates and of targets, see `src.selection.influence.adam`.
    reduction: "mean" divides a response's loss by its tokens; with "sum" a long text weighs more beside the
      momentum of Adam's direction. Cosines know no other difference.
    dimension: the length of a projected gradient.
    curvature: projected gradients are whitened by their autocorrelation over the candidates before they are compared
      (see `src.selection.influence.curvature`), damped by this share of its mean eigenvalue; null: they are not.
    fidelity_rows: so many candidates, drawn by id, are also scored without projection, to see how well the ranks agree;
        those of a warm-up in bf16 in float32 too, where there is room for such weights.
    batch_rows: rows of the recipe's `sequence_length`, to which texts are cut, in one pass (or more, if shorter).
    """

    has_vectors: ClassVar[bool] = True

    warmup: Recipe
    warmup_fraction: float = 0.05
    warmup_rows: int = 64
    checkpoints: int = 4
    layers: tuple[str, ...] = ("*.lora_*",)
    direction: Literal["adam", "less", "preconditioned", "sgd"] = "adam"
    target_direction: Literal["preconditioned", "sgd"] = "sgd"
    reduction: Literal["mean", "sum"] = "mean"
    dimension: int = 8192
    projection_seed: int = 0
    curvature: float | None = None
    fidelity_rows: int = 64
    batch_rows: int = field(default=8, metadata=not_in_key("how many rows are computed at once"))

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = (self.layers,) if isinstance(self.layers, str) else self.layers
        object.__setattr__(self, "layers", tuple(layers))
        if not 0 < self.warmup_fraction <= 1:
            raise ValueError(f"warmup_fraction must lie in (0, 1], not {self.warmup_fraction}")
        at_least(self, 1, "warmup_rows", "checkpoints", "dimension", "batch_rows")
        at_least(self, 0, "fidelity_rows")
        if self.curvature is not None and self.curvature <= 0:
            raise ValueError(f"curvature must be above 0, such as 10, or null, not {self.curvature}")

    @property
    def batch_tokens(self) -> int:
        """Padded tokens in one pass."""
        return self.batch_rows * self.warmup.sequence_length

    def estimate(self, size: Shape, trainer: Trainer, tokens: float) -> dict[str, float]:
        """The warm-up, then a pass over all candidates at each checkpoint."""
        warm_up = tokens_read(self.warmup, self.warmup_fraction * tokens) or 0.0
        passes = self.checkpoints * tokens
        alone = trainer.on_one_device()
        computed_in = {self.warmup.precision, *(["float32"] if self.fidelity_rows else [])}  # the exact scores
        memory = max(
            training_bytes(size, pass_tokens(self.warmup, alone), self.warmup, alone),
            *(self._gradient_bytes(size, precision, alone) for precision in computed_in),
        )
        cost = {"tokens": warm_up + passes, "gb_per_device": memory / 1e9}
        if trainer.device == "cuda":
            each = TO_ACTIVATIONS if self.warmup.lora else TRAINING
            parts = ((warm_up, each), (passes, TO_ACTIVATIONS))
            hours = (gpu_hours(size.working_parameters, *part, precision=self.warmup.precision) for part in parts)
            cost["gpu_hours"] = sum(hours)
        return cost

    def _gradient_bytes(self, size: Shape, precision: str, trainer: Trainer) -> float:
        rank = self.warmup.lora.rank if self.warmup.lora else None
        tracked = [name for name in linear_layers(size) if self._tracks(name)]
        passes = gradient_bytes(size, self.batch_tokens, precision, trainer, tracked, rank)
        return passes + 4 * self.batch_rows * self.dimension

    def _tracks(self, layer: str) -> bool:
        """Whether a pattern matches this layer of a model, or one of its adapter's factors, where it has one."""
        lora = self.warmup.lora
        adapted = lora is not None and layer.endswith(lora.targets)
        names = [f"{layer}.{factor}.default" for factor in ("lora_A", "lora_B")] if adapted else [layer]
        first = "base_model.model.model.layers.0" if lora else "model.layers.0"  # as peft calls it
        return any(fnmatch(f"{first}.{name}", pattern) for name in names for pattern in self.layers)

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        from src.selection.influence.estimate import rank  # loads torch

        return rank(self, candidates, reference)

"""Selection by the influence that the library bergson estimates: for models that one card cannot hold.

bergson (EleutherAI, https://github.com/EleutherAI/bergson) shards the model over cards, projects gradients while they
are collected, and knows estimates that differ from ours. This module holds the options;
`src.selection.bergson.pipeline` writes the rows, starts it and reads its scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from src.core.checks import at_least
from src.core.errors import require
from src.core.fingerprint import not_in_key
from src.core.records import Example
from src.modeling.flops import TO_ACTIVATIONS, gpu_hours
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer
from src.selection.base import Ranking, Reference, Targeted

PASSES = {"trackstar": 2, "ekfac": 3, "cosine": 1}  # over the candidates; the last of them is made for each target


@dataclass(frozen=True, kw_only=True)
class Bergson(Targeted):
    """How far a candidate's gradient points along a target's, at the reference model as it is: without a warm-up.

    A score is in standard deviations of its target's scores, so that targets can be compared.

    method: how the loss's curvature is taken out of gradients before they are compared. "trackstar": by their
      autocorrelation on both sides, then the cosine (Chang et al. 2024, arXiv 2410.17413). "ekfac": by
      Kronecker factors with corrected eigenvalues on the target's side, then the inner product (Grosse et al. 2023,
      arXiv 2308.03296). "cosine": not at all.
    projection: the gradient of each layer becomes a square of so many rows and columns; 0: it stays whole.
    exclude: a shell pattern of linear layers that do not count.
    precision: of the weights and gradients.
    max_length: tokens to which texts are cut. batch_tokens: so many, padding included, in one pass.
    fsdp: the model is sharded over the trainer's devices, of which each holds the whole otherwise.
    """

    method: Literal["trackstar", "ekfac", "cosine"] = "trackstar"
    projection: int = 16
    exclude: str | None = None
    precision: Literal["float32", "bf16"] = "float32"
    max_length: int = 2048
    batch_tokens: int = field(default=8192, metadata=not_in_key("how many tokens are computed at once"))
    fsdp: bool = field(default=False, metadata=not_in_key("where the weights lie"))

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 0, "projection")
        at_least(self, 1, "max_length")
        if self.method == "trackstar" and not self.projection:
            raise ValueError("method=trackstar compares projected gradients: set projection to at least 1, such as 16")
        if self.batch_tokens < self.max_length:
            raise ValueError(
                f"batch_tokens must hold a text of max_length={self.max_length} tokens, not {self.batch_tokens}"
            )

    def preflight(self) -> None:
        require("bergson", "selector=bergson")
        super().preflight()

    def estimate(self, size: Shape, trainer: Trainer, tokens: float) -> dict[str, float]:
        passes = PASSES[self.method] - 1 + len(self.targets)
        read = passes * tokens
        if trainer.device != "cuda":
            return {"tokens": read}
        hours = gpu_hours(size.working_parameters, read, TO_ACTIVATIONS, precision=self.precision)
        return {"tokens": read, "gpu_hours": hours}

    def rank(self, candidates: Sequence[Example], reference: Reference) -> Ranking:
        from src.selection.bergson.pipeline import rank  # loads torch

        return rank(self, candidates, reference)

"""What training means, as opposed to where it runs: everything here changes the resulting weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from src.modeling.schedules import Constant, Schedule

Order = Literal["shuffled", "in_order"]


def _positive(name: str, value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{name} must be above 0, not {value}")


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters (arXiv 2106.09685) in place of full fine-tuning; the finished model has them merged in."""

    rank: int = 128
    alpha: float = 512.0
    dropout: float = 0.1
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        _positive("rank", self.rank)
        _positive("alpha", self.alpha)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Length: `epochs` passes over the rows (a fraction is allowed), shortened to `max_tokens` or `max_steps` where given;
    `epochs` null means as many as the budget asks for. A budget shortens every corpus alike.
    Batch: one optimizer step reads `batch_sequences` sequences of up to `sequence_length` tokens, over all devices.
    packing: rows share sequences (they never see each other); without it a sequence is one row.
    order: of rows whose corpus does not ask for one: "shuffled" anew each epoch, or "in_order" as they come.
    overlong: what becomes of a row longer than a sequence or than the model's positions.
    loss_on: "response", or "all" for prompt and response alike.
    precision: "bf16" computes in bfloat16 over float32 master weights, and the finished model is stored in bfloat16.
    on_bad_loss: a loss that is not finite stops the run, or is skipped and counted.
    """

    lr: float
    schedule: Schedule = field(default_factory=Constant)
    epochs: float | None = 1.0
    max_tokens: int | None = None
    max_steps: int | None = None
    sequence_length: int = 2048
    batch_sequences: int = 32
    packing: bool = True
    order: Order = "shuffled"
    overlong: Literal["truncate", "drop"] = "truncate"
    loss_on: Literal["response", "all"] = "response"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    grad_clip: float | None = 1.0
    precision: Literal["float32", "bf16"] = "float32"
    lora: LoRA | None = None
    on_bad_loss: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name in ("lr", "epochs", "max_tokens", "max_steps", "batch_sequences", "eps", "grad_clip"):
            _positive(name, getattr(self, name))
        if self.sequence_length < 2:
            raise ValueError(f"sequence_length must be at least 2, not {self.sequence_length}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must be at least 0, not {self.weight_decay}")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), not {list(self.betas)}")
        if self.epochs is None and self.max_tokens is None and self.max_steps is None:
            raise ValueError("how long to train is open: give epochs, max_tokens or max_steps")

    @property
    def batch_tokens(self) -> int:
        """Slots for tokens in one optimizer step."""
        return self.batch_sequences * self.sequence_length

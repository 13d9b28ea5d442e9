"""What training means, as opposed to where it runs: everything here changes the resulting weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from src.core.checks import at_least
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
class Phase:
    """A stretch of training that reads several corpora at once.

    corpora: by name, their weights: each gives that share of the sequences, spread evenly. tokens: the length, filled
    or not (a whole number of steps, so that phases with other corpora and the same budget end at the same step). A
    corpus goes on where the phase before left it, and begins anew when it is used up.
    """

    corpora: dict[str, float]
    tokens: int

    def __post_init__(self) -> None:
        _positive("tokens", self.tokens)
        if not self.corpora or any(weight <= 0 for weight in self.corpora.values()):
            raise ValueError(f"corpora must be names with weights above 0, not {dict(self.corpora)}")


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Length: `epochs` passes over the rows (a fraction is allowed), shortened to `max_tokens` or `max_steps` where given;
    `epochs` null means as many as the budget asks for. A budget shortens every corpus alike.
    phases: what is read when, in place of all corpora one after the other; the lengths are then theirs.
    Batch: one optimizer step reads `batch_sequences` sequences of up to `sequence_length` tokens, over all devices.
    packing: rows share sequences (they never see each other); without it a sequence is one row.
    order: of rows whose corpus does not ask for one: "shuffled" anew each epoch, or "in_order" as they come.
    overlong: what becomes of a row longer than a sequence or than the model's positions; "split": its response goes on
      in rows of its own.
    held_out: the share of rows, by the hash of their ids, that is not trained on but read for a loss of each corpus.
    loss_on: "response", or "all" for prompt and response alike.
    precision: "bf16" computes in bfloat16 over float32 master weights, and the finished model is stored in bfloat16.
    spike_sigmas: how many standard deviations above the usual make a loss a spike; null: none is one.
    on_bad_loss: a spike, or a loss that is not finite, stops the run; or its step is skipped and counted, and only ten
      of them in a row stop it.
    """

    preloads: ClassVar[tuple[str, ...]] = ("src.modeling.training",)

    lr: float
    schedule: Schedule = field(default_factory=Constant)
    epochs: float | None = 1.0
    max_tokens: int | None = None
    max_steps: int | None = None
    phases: tuple[Phase, ...] = ()
    sequence_length: int = 2048
    batch_sequences: int = 32
    packing: bool = True
    order: Order = "shuffled"
    overlong: Literal["truncate", "split", "drop"] = "truncate"
    held_out: float = 0.0
    loss_on: Literal["response", "all"] = "response"
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    grad_clip: float | None = 1.0
    precision: Literal["float32", "bf16"] = "float32"
    lora: LoRA | None = None
    spike_sigmas: float | None = None
    on_bad_loss: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "phases", tuple(self.phases))
        for name in ("lr", "epochs", "max_tokens", "max_steps", "batch_sequences", "eps", "grad_clip", "spike_sigmas"):
            _positive(name, getattr(self, name))
        at_least(self, 2, "sequence_length")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must lie in [0, 1), not {self.held_out}")
        at_least(self, 0, "weight_decay")
        if len(self.betas) != 2 or not all(0 <= b < 1 for b in self.betas):
            raise ValueError(f"betas must be two numbers in [0, 1), not {list(self.betas)}")
        if self.phases:
            if self.epochs is not None or self.max_tokens is not None:
                raise ValueError("phases have lengths of their own: set epochs and max_tokens to null")
        elif self.epochs is None and self.max_tokens is None and self.max_steps is None:
            raise ValueError("how long to train is open: give epochs, max_tokens or max_steps")

    @property
    def batch_tokens(self) -> int:
        """Slots for tokens in one optimizer step."""
        return self.batch_sequences * self.sequence_length

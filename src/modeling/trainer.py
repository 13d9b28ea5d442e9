"""Where training runs. Nothing here is part of a stage's key: it changes the speed, not the meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Trainer:
    """The machine's side of training.

    devices: per node; more than one (or a node more) is started by torchrun, which every rank of reads the same plan.
    rows_per_device: sequences in one forward pass; null: about 2,000 tokens on a CPU, 16,000 on a GPU.
    threads: of torch on a CPU; null leaves torch's own choice.
    compile: torch.compile; "auto" attention is then "sdpa", for the lengths of documents would be compiled in.
    attention: "auto" takes "documents" (exact per-document attention: one kernel call a document on a CPU, the
      variable-length flash kernel on a GPU) where the model has nothing that it cannot do, else "sdpa" with a mask.
    checkpoint_minutes: how much work a kill may cost.
    log_seconds: how often a point of the curves is written.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    rows_per_device: int | None = None
    threads: int | None = None
    compile: bool = False
    activation_checkpointing: bool = False
    attention: Literal["auto", "documents", "sdpa", "eager", "flash_attention_2"] = "auto"
    checkpoint_minutes: float = 10.0
    keep_checkpoints: int = 2
    log_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name in ("devices", "nodes", "rows_per_device", "threads", "keep_checkpoints"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.checkpoint_minutes < 0 or self.log_seconds < 0:
            raise ValueError("checkpoint_minutes and log_seconds must be at least 0")

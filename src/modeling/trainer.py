"""Where training runs. Nothing here is part of a stage's key: it changes the speed, not the meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from src.core.checks import at_least
from src.core.machine import require_cuda


@dataclass(frozen=True)
class Trainer:
    """The machine's side of training.

    devices: per node, one process each. nodes: machines; `compute.across` says how each is reached.
    strategy: "ddp", which "auto" takes for several devices, has a whole model on each, "fsdp" one spread over all. To
      write that for use, finished or exported, the first process gathers it in its host's memory: all of it once, in
      the type it is stored in (of 7 billion weights 14 GB in bfloat16, 28 GB in float32).
    rows_per_device: sequences in one forward pass; null: about 2,000 tokens on a CPU, 16,000 on a GPU.
    threads: of torch on a CPU; null: one for a model of a few million parameters, else torch's own choice.
    compile: torch.compile; "auto" attention is then never "documents", whose lengths would be compiled in. Off, for
      with a mask a step took 3.3 times as long as with the variable-length kernel, neither compiled, on an H200
      (experiments/performance/gpu.md); besides all logits are held at once.
    attention: "auto" takes "documents" (exact per-document attention: one kernel call a document on a CPU, the
      variable-length flash kernel on a GPU) where it leaves out nothing of the model, else "sdpa" with a mask, or the
      model's "eager" where it has soft caps or sinks.
    checkpoint_minutes: how much work a kill may cost.
    log_seconds: how often a point of the curves is written.
    validations: how often the held-out rows are read, if the recipe holds any out.
    offload: with "fsdp" over several devices, weights, gradients and Adam's moments wait in the host's memory, and
      each layer is fetched when its turn comes: slower, for models too large.
    export_every, export_best, keep_adapter: what is left in `exports/` beside the finished model, none of it made again
      for a stage that is there: `step-<n>` every so many steps; `best`, the model of the validation with the lowest
      loss, where the recipe holds rows out; `adapter`, where it has LoRA, for vLLM's `lora`. With LoRA all three are
      adapters.
    share_stable: keep the state where a WSD decay begins in the cache of all runs, and go on from there if another run
      that came there by the same steps has left it: a sweep over decays trains what comes before once.
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
    validations: int = 4
    export_every: int | None = None
    export_best: bool = False
    keep_adapter: bool = False
    share_stable: bool = False
    offload: bool = False

    def __post_init__(self) -> None:
        counts = ("devices", "nodes", "rows_per_device", "threads", "keep_checkpoints", "validations", "export_every")
        at_least(self, 1, *counts)
        at_least(self, 0, "checkpoint_minutes", "log_seconds")
        if self.offload and (self.strategy != "fsdp" or self.devices * self.nodes == 1):
            raise ValueError(
                f"offload moves the shards of a spread model: it wants strategy=fsdp and two devices or more, not "
                f"strategy={self.strategy} and {self.nodes} x {self.devices}"
            )

    def on_one_device(self) -> Trainer:
        """The same for work that one process does alone."""
        return replace(self, devices=1, nodes=1, strategy="auto", offload=False)

    def preflight(self) -> None:
        """Raises UserError where the GPUs that are asked for are not on this machine."""
        if self.device == "cuda":
            smaller = "trainer=gpu, or a smaller scale such as scale=single_gpu" if self.devices > 1 else "trainer=cpu"
            require_cuda(self.devices, "The trainer", f"Run it where they are, or choose {smaller}.")

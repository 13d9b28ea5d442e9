"""Branch and decay: the state where a WSD decay begins, kept for every run that comes there by the same steps.

Its key is what led to it: the base model, the rows of every step, the learning rates, AdamW's settings, the seed. So a
sweep over decay shapes, or over what is read in the decay, trains the stable part once; an arm pays for its decay.
The result is that of the undivided run to the last bit, which is why none of this is part of a stage's key.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
from filelock import FileLock, Timeout

from src.core.records import content_id
from src.modeling.checkpoints import CheckpointFolder, is_sound, link_folder

if TYPE_CHECKING:
    from src.modeling.module import CausalLM
    from src.modeling.plan import Plan
    from src.modeling.recipe import Recipe
    from src.modeling.rows import TokenRows

IN_THE_PLAN = ("lr", "schedule", "epochs", "max_tokens", "max_steps", "phases", "order", "packing", "overlong",
               "held_out", "batch_sequences", "sequence_length")  # fmt: skip
"""Options of a recipe that act through the rows and the rate of each step, which are in the key themselves."""


def stable_key(base: str, rows: TokenRows, plan: Plan, recipe: Recipe, steps: int, strategy: str, seed: int) -> str:
    """Everything that the state after `steps` steps depends on. `base`: a digest of the model."""
    read = hashlib.sha256()
    last = min(steps * plan.batch, len(plan.bins))
    edges = plan.bins.offsets[: last + 1]
    read.update(edges.astype(np.int64).tobytes())
    read.update(rows.digests[plan.bins.rows[: edges[-1]]].tobytes())
    rates = [recipe.lr * recipe.schedule.factor(step, plan.steps) for step in range(steps)]
    others = {k: v for k, v in dataclasses.asdict(recipe).items() if k not in IN_THE_PLAN}
    return content_id(base, read.hexdigest(), rates, plan.batch, json.dumps(others, sort_keys=True), strategy, seed)


class StableState(pl.Callback):
    """One such state, in `folder`: the checkpoint `state`, and `curve.jsonl` up to there.

    Who comes first trains up to `step` under a lock; who comes later waits, and goes on from there.
    """

    def __init__(self, folder: Path, step: int, checkpoints: CheckpointFolder, curve: Path):
        self.folder, self.step, self.checkpoints, self.curve = folder, step, checkpoints, curve
        self._lock = FileLock(folder.with_name(folder.name + ".lock"))

    def begin(self) -> None:
        """On the first rank: take over the state where it is there, else keep others from making it too."""
        own = self.checkpoints.latest()
        if own and own[1] >= self.step:
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            print("    another run is training the stable part that this one shares; waiting", file=sys.stderr)
            self._lock.acquire()
        if is_sound(self.folder / "state"):
            self._take_over()
            self._lock.release()

    def _take_over(self) -> None:
        shutil.copyfile(self.folder / "curve.jsonl", self.curve)  # no link: this run writes on in its own
        self.checkpoints.adopt(self.folder / "state", self.step)
        print(
            f"    the first {self.step:,} steps are shared with a run before: only the decay is left", file=sys.stderr
        )

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *args: Any) -> None:
        module: CausalLM = pl_module
        if module.steps_done != self.step:
            return
        path = self.checkpoints.save(module, trainer.optimizers[0], self.step)
        self.checkpoints.finish()
        if trainer.is_global_zero and self._lock.is_locked:
            self._keep(path)
        self._lock.release()

    def _keep(self, checkpoint: Path) -> None:
        half = self.folder.with_name(self.folder.name + ".half")
        for folder in (half, self.folder):  # one that is there is damaged
            shutil.rmtree(folder, ignore_errors=True)
        link_folder(checkpoint, half / "state")
        shutil.copyfile(self.curve, half / "curve.jsonl")
        half.replace(self.folder)

    def __enter__(self) -> StableState:
        return self

    def __exit__(self, *exc: object) -> None:
        self._lock.release()  # where this run failed before the state was there, another may try

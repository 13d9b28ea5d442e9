"""Warm-up: a short training of the reference model on some of the candidates, for checkpoints with Adam's moments.

It goes through the one training function, which keeps an `OptimizerCheckpoint` at each of the fractions asked for: the
model or its adapter, Adam's moments, the step and the learning rate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.core.records import Example
from src.core.row_files import RowView
from src.core.store import write_json
from src.selection.base import Reference
from src.selection.candidates import ById

if TYPE_CHECKING:
    from src.modeling.optimizer_checkpoints import OptimizerCheckpoint
    from src.modeling.recipe import Recipe
    from src.modeling.trainer import Trainer
    from src.selection.influence import Influence


def warm_up(options: Influence, candidates: ById, reference: Reference) -> list[OptimizerCheckpoint]:
    """Train, and return the kept checkpoints in order. Done before: they are there and are used."""
    from src.modeling.optimizer_checkpoints import OptimizerCheckpoint
    from src.modeling.training import train

    folder = reference.work / "warmup"
    kept = folder / "kept.json"
    if not kept.exists():
        summary = train(
            base=reference.model,
            examples=warmup_sample(options, candidates, reference.seed),
            recipe=options.warmup,
            trainer=reference.trainer,
            out=folder / "model",
            work=folder,
            seed=reference.seed,
            log=reference.log,
            progress=reference.progress,
            checkpoints=[(i + 1) / options.checkpoints for i in range(options.checkpoints)],
        )
        write_json(kept, [str(moment.folder.relative_to(folder)) for moment in summary.optimizer_checkpoints])
    return [OptimizerCheckpoint.of(folder / name) for name in json.loads(kept.read_text())]


def warmup_sample(options: Influence, candidates: ById, seed: int) -> RowView[Example]:
    """The share of candidates to train on: drawn by id, so that a candidate's part does not depend on its place."""
    count = min(len(candidates), max(options.warmup_rows, round(options.warmup_fraction * len(candidates))))
    return candidates.drawn(count, "warm-up", seed)


def load(checkpoint: OptimizerCheckpoint, base: Path, trainer: Trainer, recipe: Recipe) -> Any:
    """The model at a checkpoint, on the trainer's device, in the precision of the recipe that trained it; adapters are
    in float32."""
    from src.selection.packed import on_device

    adapter = (checkpoint.folder / "adapter_config.json").exists()
    folder = base if adapter else checkpoint.folder
    model = on_device(folder, trainer, recipe.sequence_length, recipe.precision)
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(checkpoint.folder)).eval()
    return model

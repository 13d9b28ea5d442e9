"""Warm-up: a short training of the reference model on some of the candidates, for checkpoints with Adam's moments.

It goes through the one training function, which leaves `checkpoints/<i>/` with the model (or its adapter),
`moments.safetensors` and the learning rate at that step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.core.records import Example, seed_from
from src.selection.base import Reference

if TYPE_CHECKING:
    from src.selection.influence import Influence


@dataclass(frozen=True)
class Checkpoint:
    """A model in the middle of its warm-up. `folder` holds an adapter or a whole model."""

    folder: Path
    learning_rate: float

    @property
    def moments(self) -> Path:
        return self.folder / "moments.safetensors"


def warm_up(options: Influence, candidates: Sequence[Example], reference: Reference) -> list[Checkpoint]:
    """Train, and return the checkpoints in order. Done before: the checkpoints are there and are used."""
    folder = reference.work / "warmup"
    if not (folder / "done").exists():
        from src.modeling.training import train

        fractions = [(i + 1) / options.checkpoints for i in range(options.checkpoints)]
        train(
            base=reference.model,
            examples=warmup_sample(options, candidates, reference.seed),
            recipe=options.warmup,
            trainer=options.trainer,
            out=folder,
            work=reference.work / "warmup_progress",
            seed=reference.seed,
            log=reference.log,
            progress=reference.progress,
            checkpoints=fractions,
        )
        (folder / "done").touch()
    return [_checkpoint(folder / "checkpoints" / str(i)) for i in range(options.checkpoints)]


def warmup_sample(options: Influence, candidates: Sequence[Example], seed: int) -> list[Example]:
    """The share of candidates to train on: drawn by id, so that a candidate's part does not depend on its place."""
    count = min(len(candidates), max(options.warmup_rows, round(options.warmup_fraction * len(candidates))))
    return sorted(candidates, key=lambda row: (seed_from("warm-up", seed, row.id), row.id))[:count]


def load_tokenizer(model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def load(checkpoint: Checkpoint, base: Path) -> Any:
    """The model at a checkpoint, ready for gradients: on a GPU if there is one."""
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    adapter = (checkpoint.folder / "adapter_config.json").exists()
    model: Any = AutoModelForCausalLM.from_pretrained(base if adapter else checkpoint.folder, dtype=torch.float32)
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, checkpoint.folder)
    return model.to(device).eval()


def hashed_files(model: Path) -> dict[str, str]:
    """SHA-256 of every file of a model folder that decides what it computes, by relative name."""
    kept = (".safetensors", ".bin", ".json", ".model", ".txt", ".jinja")
    files = (path for path in sorted(model.rglob("*")) if path.suffix in kept)
    return {str(path.relative_to(model)): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checkpoint(folder: Path) -> Checkpoint:
    state = json.loads((folder / "state.json").read_text())
    return Checkpoint(folder, state["lr"])

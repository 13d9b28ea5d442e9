"""How much memory a training takes on each device, before it starts. No torch: plans use it.

Against measured peaks of float32 trainings on a CPU (tiny, 2,048 and 16,384 tokens a pass; small, 8,192; SmolLM2-135M,
1,024) it is off by -2, -4, -10 and +13 %: see experiments/performance/training.md.
"""

from __future__ import annotations

from src.modeling.recipe import Recipe
from src.modeling.shape import Shape
from src.modeling.trainer import Trainer

STANDING = 0.65e9
"""torch, Lightning and transformers in a process; a CUDA context is about as large."""

TRAINED_BYTES = 16
"""Of a trained weight in float32: itself, its gradient, Adam's two moments."""

ADAPTER_WEIGHTS = 7 * 2
"""What LoRA adds to a layer for each unit of rank and width: a row and a column beside each of seven matrices."""


def training_bytes(shape: Shape, tokens: int, recipe: Recipe, trainer: Trainer) -> float:
    """The peak on one device. tokens: in one forward pass of it."""
    number = 2 if recipe.precision == "bf16" else 4
    shards = trainer.devices * trainer.nodes if trainer.strategy == "fsdp" else 1
    return STANDING + _weights(shape, recipe, number) / shards + tokens * _kept_of_a_token(shape, trainer, number)


def _weights(shape: Shape, recipe: Recipe, number: int) -> float:
    if recipe.lora is None:
        return shape.parameters * TRAINED_BYTES
    adapters = shape.layers * recipe.lora.rank * shape.hidden * ADAPTER_WEIGHTS
    return shape.parameters * number + adapters * TRAINED_BYTES


def _kept_of_a_token(shape: Shape, trainer: Trainer, number: int) -> float:
    """Bytes kept for the way back. A layer keeps what its products read and its norms and gate made: ten numbers of the
    stream's width, two of keys and values, four of each working expert's; with checkpointing one, and one layer is
    made anew at a time. The logits stand three times in float32: themselves, their softmax, its gradient."""
    layer = 10 * shape.hidden + 2 * shape.kv + 4 * shape.experts_used * shape.intermediate
    kept = shape.layers * shape.hidden + layer if trainer.activation_checkpointing else shape.layers * layer
    return kept * number + 3 * shape.vocab * 4

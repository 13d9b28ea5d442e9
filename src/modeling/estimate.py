"""What training and writing cost, before a row exists: for `plan=true`. No torch."""

from __future__ import annotations

from src.modeling.flops import FORWARD, TO_ACTIVATIONS, TRAINING, WRITING_MFU, gpu_hours
from src.modeling.memory import training_bytes, writing_bytes
from src.modeling.micro_batches import plan_micro_batches
from src.modeling.recipe import Recipe
from src.modeling.shape import Shape
from src.modeling.sources import ModelSource
from src.modeling.trainer import Trainer


def tokens_read(recipe: Recipe, expected: float | None) -> float | None:
    """Over all epochs or phases. `expected`: tokens of all rows, where somebody can say; None: the recipe's budget
    alone decides, and where it has none, nobody knows."""
    if recipe.phases:
        limits: list[float] = [sum(phase.tokens for phase in recipe.phases)]
    else:
        limits = [expected * recipe.epochs] if expected is not None and recipe.epochs is not None else []
        limits += [recipe.max_tokens] if recipe.max_tokens is not None else []
    if recipe.max_steps is not None:
        limits.append(recipe.max_steps * recipe.batch_tokens)
    return min(limits, default=None)


def pass_tokens(recipe: Recipe, trainer: Trainer) -> int:
    """Slots for tokens in one forward pass of a device."""
    device = "cuda" if trainer.device == "cuda" else "cpu"
    return plan_micro_batches(recipe, trainer, device).rows * recipe.sequence_length


def training_cost(model: ModelSource, recipe: Recipe, trainer: Trainer, expected: float | None) -> dict[str, float]:
    """What is known of: `tokens`, `gb_per_device`, and `gpu_hours` of the planned card where a GPU is asked for."""
    cost: dict[str, float] = {}
    tokens, size = tokens_read(recipe, expected), model.size()
    if tokens is not None:
        cost["tokens"] = tokens
    if size is not None:
        cost["gb_per_device"] = training_bytes(size, pass_tokens(recipe, trainer), recipe, trainer) / 1e9
    if tokens is not None and size is not None and trainer.device == "cuda":
        each = TO_ACTIVATIONS if recipe.lora else TRAINING
        cost["gpu_hours"] = gpu_hours(size.working_parameters, tokens, each, precision=recipe.precision)
    return cost


def writing_cost(tokens: float, shape: Shape | None, devices: int | None) -> dict[str, float]:
    """Of so many tokens that a model of this shape writes. devices: that hold its weights together; None: none here."""
    if shape is None or devices is None:
        return {"tokens": tokens}
    return {
        "tokens": tokens,
        "gpu_hours": gpu_hours(shape.working_parameters, tokens, FORWARD, WRITING_MFU),
        "gb_per_device": writing_bytes(shape, devices) / 1e9,
    }

"""What a training costs, before a row of it exists: for `plan=true`. No torch."""

from __future__ import annotations

from src.modeling.flops import gpu_hours
from src.modeling.recipe import Recipe
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


def training_cost(model: ModelSource, recipe: Recipe, trainer: Trainer, expected: float | None) -> dict[str, float]:
    """`tokens`, and `gpu_hours` of the planned card where a GPU is asked for; empty when the length is not known."""
    tokens, parameters = tokens_read(recipe, expected), model.working_parameters()
    if tokens is None:
        return {}
    if trainer.device != "cuda" or parameters is None:
        return {"tokens": tokens}
    return {"tokens": tokens, "gpu_hours": gpu_hours(parameters, tokens, recipe.lora is not None)}

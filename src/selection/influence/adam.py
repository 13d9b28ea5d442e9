r"""The direction in which Adam would move the weights if its next batch were one single sample.

With the moments m, v after t steps and the sample's gradient g (Kingma and Ba 2015, arXiv 1412.6980):

    m' = b1 m + (1 - b1) g              v' = b2 v + (1 - b2) g^2
    direction = [m' / (1 - b1^(t+1))] / [sqrt(v' / (1 - b2^(t+1))) + eps]

The step itself is -lr * direction (weight decay, the same for every sample, is left out). Variants:

adam            the formula above: what `torch.optim.AdamW` does next.
less            as LESS's released code has it: no bias correction, eps inside the root: m' / sqrt(v' + eps).
preconditioned  g / (sqrt(v / (1 - b2^t)) + eps): the sample's own part, with the optimizer's scale for each weight.
                The momentum, which all candidates share, is gone, and the direction is linear in g.
sgd             g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from src.core.errors import UserError
from src.modeling.recipe import Recipe
from src.selection.influence.layers import Parameter

Direction = Literal["adam", "less", "preconditioned", "sgd"]

MEND = (
    "Each checkpoint needs the moments saved with it, and selector.layers may name only layers that the warm-up trains."
)


@dataclass
class Moments:
    """Adam's state after `step` steps, per parameter, flattened float32."""

    step: int
    mean: dict[str, Tensor]
    square: dict[str, Tensor]
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    @classmethod
    def load(
        cls, path: Path, step: int, parameters: Sequence[Parameter], recipe: Recipe, device: torch.device | str = "cpu"
    ) -> Moments:
        """Read `m.<parameter>` and `v.<parameter>` for the given parameters; `recipe` is what the model was trained by.

        Raises `UserError` when there is no such file, when it lacks one or has it in another shape (moments of another
        model), and when it says that it was saved at another step (moments of another checkpoint).
        """
        from safetensors import safe_open

        if not path.exists():
            raise UserError(f"The checkpoint {path.parent} has no Adam moments: {path.name} is missing.", MEND)
        moments: dict[str, dict[str, Tensor]] = {"m": {}, "v": {}}
        with safe_open(path, framework="pt", device=str(device)) as file:
            if (saved := (file.metadata() or {}).get("step", str(step))) != str(step):
                raise UserError(f"{path} holds the moments of step {saved}, its checkpoint is of step {step}.", MEND)
            there = set(file.keys())
            for parameter in parameters:
                for kind, values in moments.items():
                    key = f"{kind}.{parameter.name}"
                    found = file.get_tensor(key).float().flatten() if key in there else None
                    if found is None or found.numel() != parameter.size:
                        fault = "is missing" if found is None else f"has {found.numel()} numbers, not {parameter.size}"
                        raise UserError(f"{path} does not belong to this model: {key} {fault}.", MEND)
                    values[parameter.name] = found
        return cls(step, moments["m"], moments["v"], recipe.betas, recipe.eps)

    def direction(self, kind: Direction, parameter: str, first: int, gradients: Tensor) -> Tensor:
        """The update direction for elements [first, first + k) of a parameter; `gradients` is samples x k.

        `gradients` may be overwritten.
        """
        if kind == "sgd":
            return gradients
        here = slice(first, first + gradients.shape[1])
        mean, square = self.mean[parameter][here], self.square[parameter][here]
        b1, b2 = self.betas
        if kind == "preconditioned":
            return gradients.div_(square.div(1 - b2 ** max(self.step, 1)).sqrt_().add_(self.eps))
        if kind == "less":
            scale = (gradients.square().mul_(1 - b2).add_(square * b2 + self.eps)).rsqrt_()
            return gradients.mul_(1 - b1).add_(mean * b1).mul_(scale)
        c1, c2 = 1 - b1 ** (self.step + 1), 1 - b2 ** (self.step + 1)
        root = (gradients.square().mul_((1 - b2) / c2).add_(square * (b2 / c2))).sqrt_().add_(self.eps)
        return gradients.mul_((1 - b1) / c1).add_(mean * (b1 / c1)).div_(root)

"""Choosing the next token from logits, one text at a time: the same rules in the same order as vLLM's."""

from __future__ import annotations

import torch

from src.generation.base import Sampling


def choose(logits: torch.Tensor, seen: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """The next token. `logits`: (vocabulary,); `seen`: the tokens so far, those of the prompt included."""
    logits = penalised(logits.double().cpu(), seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return int(logits.argmax())
    cumulated = probabilities(logits, sampling).cumsum(0)
    point = torch.rand((), generator=generator, dtype=torch.float64) * cumulated[-1]
    return int(torch.searchsorted(cumulated, point, right=True).clamp(max=len(cumulated) - 1))


def penalised(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Divide positive logits of seen tokens by the penalty, and multiply negative ones (Keskar et al. 2019, CTRL)."""
    if penalty == 1 or not len(seen):
        return logits
    of_seen = logits[seen]
    return logits.index_put((seen,), torch.where(of_seen > 0, of_seen / penalty, of_seen * penalty))


def probabilities(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Temperature, then `min_p` (a share of the likeliest token's probability), `top_k`, `top_p`. Not normalised.

    `top_p` keeps the smallest set of likeliest tokens that holds the share `top_p` of what `top_k` left.
    """
    chances = torch.softmax(logits / sampling.temperature, dim=0)
    if sampling.min_p:
        chances = chances.where(chances >= sampling.min_p * chances.max(), 0)
    if not sampling.top_k and sampling.top_p == 1:
        return chances
    sorted_chances, order = chances.sort(descending=True, stable=True)
    if sampling.top_k:
        sorted_chances[sampling.top_k :] = 0
    if sampling.top_p < 1:
        before = sorted_chances.cumsum(0) - sorted_chances
        sorted_chances[before >= sampling.top_p * sorted_chances.sum()] = 0
    return torch.zeros_like(chances).scatter(0, order, sorted_chances)

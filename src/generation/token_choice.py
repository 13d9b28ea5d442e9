"""Choosing the next tokens from logits: the same rules in the same order as vLLM's."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from src.generation.base import Sampling


def choose(
    logits: torch.Tensor, seen: Sequence[Sequence[int]], sampling: Sampling, generators: Sequence[torch.Generator]
) -> list[int]:
    """The next token of each of some texts, chosen by one sampling, each with a random stream of its own.

    logits: (texts, vocabulary). seen: the tokens of each text so far, those of its prompt included.
    """
    logits = logits.double().cpu()
    if sampling.repetition_penalty != 1:
        rows = [penalised(row, torch.tensor(t), sampling.repetition_penalty) for row, t in zip(logits, seen)]
        logits = torch.stack(rows)
    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    cumulated = probabilities(logits, sampling).cumsum(-1)
    points = torch.stack([torch.rand((), generator=generator, dtype=torch.float64) for generator in generators])
    tokens = torch.searchsorted(cumulated, (points * cumulated[:, -1])[:, None], right=True)
    return [int(token) for token in tokens[:, 0].clamp(max=cumulated.shape[-1] - 1)]


def penalised(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Divide positive logits of seen tokens by the penalty, and multiply negative ones (Keskar et al. 2019, CTRL)."""
    if not len(seen):
        return logits
    of_seen = logits[seen]
    return logits.index_put((seen,), torch.where(of_seen > 0, of_seen / penalty, of_seen * penalty))


def probabilities(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Temperature, then `min_p` (a share of the likeliest token's probability), `top_k`, `top_p`. Not normalised.

    logits: (..., vocabulary). `top_p` keeps the smallest set of likeliest tokens that holds the share `top_p` of what
    `top_k` left.
    """
    chances = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.min_p:
        chances = chances.where(chances >= sampling.min_p * chances.amax(-1, keepdim=True), 0)
    if not sampling.top_k and sampling.top_p == 1:
        return chances
    sorted_chances, order = chances.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        sorted_chances[..., sampling.top_k :] = 0
    if sampling.top_p < 1:
        before = sorted_chances.cumsum(-1) - sorted_chances
        sorted_chances[before >= sampling.top_p * sorted_chances.sum(-1, keepdim=True)] = 0
    return torch.zeros_like(chances).scatter(-1, order, sorted_chances)

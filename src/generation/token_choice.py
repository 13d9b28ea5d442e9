"""Choosing the next tokens from logits: the same rules in the same order as vLLM's, for many texts at once."""

from __future__ import annotations

import torch

from src.generation.base import Sampling

# The constants of SplitMix64 (Steele, Lea and Flood 2014).
_GAMMA = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27)


def choose_tokens(
    logits: torch.Tensor, seen: torch.Tensor, sampling: Sampling, seeds: torch.Tensor, places: torch.Tensor
) -> torch.Tensor:
    """The next tokens, (texts,), of texts that are drawn by one sampling. All tensors lie on one device.

    logits: (texts, vocabulary). seen: (texts, any number), tokens of each text so far, in any order and as often as one
    likes; read for a repetition penalty alone. seeds: (texts,); places: (texts,), how many tokens each has written.
    What is drawn for a text depends on its logits, its seed and its place, and on no other text.
    """
    if logits.device.type == "mps":  # has no float64
        found = choose_tokens(logits.cpu(), seen.cpu(), sampling, seeds.cpu(), places.cpu())
        return found.to(logits.device)
    logits = logits.float()
    if sampling.repetition_penalty != 1:
        logits = penalised(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    cumulated = probabilities(logits, sampling).cumsum(-1, dtype=torch.float64)
    points = uniforms(seeds, places) * cumulated[:, -1]
    tokens = torch.searchsorted(cumulated, points[:, None], right=True)[:, 0]
    return tokens.clamp(max=logits.shape[-1] - 1)


def uniforms(seeds: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Numbers in [0, 1), float64, of a counter-based generator: a hash of seed and place, without a state."""
    mixed = _mixed(_mixed(seeds) + (places + 1) * _signed(_GAMMA))
    return _shifted(mixed, 11).double() * 2.0**-53


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    """SplitMix64's finaliser: each bit of the result depends on each bit of the number."""
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=True):
        numbers = (numbers ^ _shifted(numbers, shift)) * _signed(factor)
    return numbers ^ _shifted(numbers, 31)


def _shifted(numbers: torch.Tensor, bits: int) -> torch.Tensor:
    """To the right, zeros coming in on the left whatever the sign."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    """The same 64 bits as a signed number: torch has no other, and its products wrap around."""
    return (number + 2**63) % 2**64 - 2**63


def penalised(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Divide positive logits of seen tokens by the penalty, and multiply negative ones (Keskar et al. 2019, CTRL)."""
    of_seen = logits.gather(-1, seen)
    return logits.scatter(-1, seen, torch.where(of_seen > 0, of_seen / penalty, of_seen * penalty))


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

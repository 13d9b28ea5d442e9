"""Floating-point work: of a token in training, and of a card in a second. No torch: plans use it too."""

from __future__ import annotations

DENSE_BF16 = {
    "B200": 2_250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H800": 989e12,
    "A100": 312e12,
    "A800": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
    "A10": 125e12,
    "L4": 121e12,
}
"""Peak operations a second without sparsity, by a part of the card's name (makers' data sheets); longer parts first."""

PLANNED_CARD, PLANNED_MFU, WRITING_MFU = "A100", 0.4, 0.1
"""What a plan reckons with: a card of the paper's time, at shares of its peak that a good set-up reaches in
training, and in writing text token by token (2,200 tokens/s of a 7B model)."""

SLOWER = {"bf16": 1, "float32": 16}
"""Than in bfloat16: of an A100's 312 teraflop/s, float32 has 19.5 (maker's data sheet)."""


def peak(card: str) -> float | None:
    """By the name that the driver gives; None for a card that is not in the table."""
    return next((DENSE_BF16[part] for part in sorted(DENSE_BF16, key=len, reverse=True) if part in card), None)


FORWARD, TO_ACTIVATIONS, TRAINING = 2, 4, 6
"""Operations for each parameter and token (arXiv 2001.08361): two for the pass forward, two more for the gradients of
activations (all that adapters and per-sample gradients need), two more for those of weights. Attention's own products
are left out: they are few in packed rows."""


def gpu_hours(
    parameters: float, tokens: float, each: int = TRAINING, mfu: float = PLANNED_MFU, precision: str = "bf16"
) -> float:
    """Of the planned card."""
    return SLOWER[precision] * each * parameters * tokens / (mfu * DENSE_BF16[PLANNED_CARD]) / 3600

"""In which number format a model computes."""

from __future__ import annotations

import platform

import torch


def on_cpu(dtype: str) -> str:
    """The `dtype` option of an engine on this CPU: "auto" is "float32" where an x86 processor would have to emulate
    bfloat16, which vLLM takes for float32 models too.

    With 1.2M parameters and AVX2 alone vLLM wrote 9 texts/s in bfloat16 on one core, and 19 in float32.
    """
    return "float32" if dtype == "auto" and emulates_bfloat16() else dtype


def emulates_bfloat16() -> bool:
    """Whether this is an x86 processor without instructions for it."""
    return platform.machine().lower() in ("x86_64", "amd64") and not (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )

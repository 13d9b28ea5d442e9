"""How many threads torch works with on a CPU."""

from __future__ import annotations

from pathlib import Path

SMALL = 20e6  # bytes of weights


def use_threads(model: str | Path, threads: int | None = None) -> None:
    """As many as asked for; where nobody asks one for a small model, torch's own choice for others.

    The threads wait for each other after every kernel, and those of a small model are short. Training one of 1.2M
    parameters, two threads read 4,500 tokens/s while both cores were free, and 1,200 while another program kept one
    busy; one thread read 3,700 and 3,500. vLLM wrote 98 texts/s of it with two threads and 84 with one.
    """
    import torch

    if threads := threads or (1 if is_small(Path(model)) else None):
        torch.set_num_threads(threads)


def is_small(model: Path) -> bool:
    """Whether a folder holds a model whose threads would wait for each other."""
    weights = [file.stat().st_size for file in model.glob("*.safetensors")]
    return bool(weights) and sum(weights) < SMALL

"""What a model held goes back."""

from __future__ import annotations

import gc


def release() -> None:
    """Free what nothing refers to any more, in the host's memory and on a GPU: a model's parts refer to each other."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""How many threads torch works with on a CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from src.modeling.shape import Shape
from src.modeling.trainer import Trainer

SMALL = 5e6  # parameters


def use_threads(trainer: Trainer, model: str | Path) -> None:
    """As many as the trainer says; where it says nothing one for a small model, torch's own choice for others.

    The threads wait for each other after every kernel, and those of a small model are short. With 1.2M parameters two
    threads read 4,500 tokens/s while both cores were free, and 1,200 while another program kept one busy; one thread
    read 3,700 and 3,500.
    """
    shape = Shape.of_folder(Path(model))
    small = shape is not None and shape.parameters < SMALL
    if threads := trainer.threads or (1 if small else None):
        torch.set_num_threads(threads)

"""The one interface for everything that turns texts into vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np


class Embedder(ABC):
    """Options of an embedding model; subclasses are frozen dataclasses that a config option names by `_target_`."""

    @abstractmethod
    def embed(self, texts: Sequence[str], cache: Path) -> np.ndarray:
        """[n, d] float32, each row of length 1 (or 0, for a text that says nothing), in the order of the texts.

        cache: a folder shared by all runs, where paid answers are kept.
        """


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1; rows of zeros stay."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: np.ndarray = vectors / np.where(lengths > 0, lengths, 1)
    return found

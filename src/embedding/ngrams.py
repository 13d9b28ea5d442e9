"""Hashed character n-grams: how alike two texts are spelt, without a model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.core.checks import at_least
from src.embedding.base import Embedder, normalised
from src.text.normalise import normalise


@dataclass(frozen=True)
class NGramEmbedder(Embedder):
    """Counts of the runs of `shortest` to `longest` characters within a text's words, hashed with signs into
    `dimensions` buckets (Weinberger et al., "Feature hashing for large scale multitask learning", 2009) and taken to
    the power 1/2. Knows words by their spelling alone: synonyms are strangers.
    """

    shortest: int = 3
    longest: int = 5
    dimensions: int = 2048

    def __post_init__(self) -> None:
        at_least(self, 1, "shortest", "dimensions")
        at_least(self, self.shortest, "longest")

    def embed(self, texts: Sequence[str], cache: Path) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for gram in self._grams(text):
                number = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
                vectors[row, (number >> 1) % self.dimensions] += 1 if number & 1 else -1
        return normalised(np.sign(vectors) * np.sqrt(np.abs(vectors)))

    def _grams(self, text: str) -> list[str]:
        words = [f"<{word}>" for word in normalise(text).lower().split()]
        lengths = range(self.shortest, self.longest + 1)
        return [word[i : i + n] for word in words for n in lengths for i in range(len(word) - n + 1)]

"""Vectors from any server that speaks OpenAI's protocol: through the cache, the budget and the patience of texts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.core.errors import UserError
from src.embedding.base import Embedder, normalised
from src.generation.base import Request, Sampling
from src.generation.openai import OpenAIGenerator


@dataclass(frozen=True)
class ServedEmbedder(Embedder):
    """server: who is asked, a call for each text; with `api=embeddings`."""

    server: OpenAIGenerator

    def __post_init__(self) -> None:
        if self.server.api != "embeddings":
            raise ValueError(f"server must have api=embeddings, not {self.server.api}")

    def embed(self, texts: Sequence[str], cache: Path) -> np.ndarray:
        """Raises UserError where a text has no vector; those that came are kept."""
        found: dict[str, np.ndarray] = {}
        requests = (Request(str(n), text, 0, Sampling(max_tokens=1)) for n, text in enumerate(texts))
        with self.server.open(None, cache) as session:
            session.expected = len(texts)
            for done in session.stream(requests):
                if done.finish_reason == "error":
                    raise UserError(
                        f"{self.server.name} has no vector for {texts[int(done.id)]!r}: {done.error}.",
                        "The same command again asks for those that are missing.",
                    )
                found[done.id] = np.frombuffer(base64.b64decode(done.text), "<f4")
        if len({len(vector) for vector in found.values()}) > 1:
            raise UserError(f"{self.server.name} gave vectors of different lengths.", "Is it one model?")
        return normalised(np.stack([found[str(n)] for n in range(len(texts))])) if found else np.zeros((0, 0))

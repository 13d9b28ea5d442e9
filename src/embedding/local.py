"""Vectors from a model on this machine: transformers, or vLLM's pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from src.core.checks import at_least
from src.core.console import quiet_transformers
from src.core.errors import UserError, require
from src.core.fingerprint import not_in_key
from src.core.hub import model_identity
from src.embedding.base import Embedder, normalised
from src.generation.models import local_model

CPU_CACHE_BYTES = 1 << 29  # where vLLM would ask for nine tenths of the machine's memory


@dataclass(frozen=True)
class TransformersEmbedder(Embedder):
    """The encoder of a Hugging Face folder or name, e.g. sentence-transformers/all-MiniLM-L6-v2.

    pooling: the mean of the last hidden states over a text's tokens, or the state of its first one.
    max_tokens: a text is cut to so many. batch_rows: texts at once.
    """

    model: str
    pooling: Literal["mean", "first"] = "mean"
    max_tokens: int = 256
    batch_rows: int = field(default=32, metadata=not_in_key("how many rows are computed at once"))

    def __post_init__(self) -> None:
        at_least(self, 1, "max_tokens", "batch_rows")

    def identity(self) -> dict[str, str]:
        """What the model is now. The first state was once that of the padding, where a tokenizer pads on the left."""
        return model_identity(self.model) | ({"padding": "right"} if self.pooling == "first" else {})

    def embed(self, texts: Sequence[str], cache: Path) -> np.ndarray:
        """Raises UserError where the folder holds no model, or one that cannot read as asked."""
        path = local_model(self.model, "embedder=transformers")
        import torch
        from transformers import AutoModel, AutoTokenizer

        quiet_transformers()
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="right")
        model = AutoModel.from_pretrained(path, dtype=torch.float32)
        self._check(tokenizer, model.config)
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = model.to(device).eval()
        options = {"padding": True, "truncation": True, "max_length": self.max_tokens, "return_tensors": "pt"}
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), self.batch_rows):
                batch = tokenizer(list(texts[start : start + self.batch_rows]), **options).to(device)
                states = model(**batch).last_hidden_state  # [rows, tokens, width]
                mask = batch["attention_mask"].unsqueeze(-1)
                mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
                found.append((mean if self.pooling == "mean" else (states * mask)[:, 0]).cpu().numpy())
        return normalised(np.concatenate(found)) if found else np.zeros((0, 0), np.float32)

    def _check(self, tokenizer: Any, config: Any) -> None:
        if tokenizer.pad_token is None and tokenizer.eos_token is None:
            mend = "Name one of its tokens as pad_token in tokenizer_config.json: which one makes no difference."
            raise UserError(f"The tokenizer of {self.model} has neither a padding token nor an end token.", mend)
        positions = getattr(config.get_text_config(), "max_position_embeddings", None) or tokenizer.model_max_length
        most = min(positions, tokenizer.model_max_length)
        if self.max_tokens > most:
            problem = f"{self.model} reads {most:,} tokens of a text, and embedder.max_tokens is {self.max_tokens:,}."
            raise UserError(problem, f"Set embedder.max_tokens={most} or less.")


@dataclass(frozen=True)
class VLLMEmbedder(Embedder):
    """An embedding model in an engine of vLLM's, which pools as the model was made to.

    model: a Hugging Face folder or name. max_model_len: tokens of a text; None takes what the model was made for.
    """

    preloads: ClassVar[tuple[str, ...]] = ("src.generation.vllm_session",)

    model: str
    max_model_len: int | None = None

    def preflight(self) -> None:
        """Raises UserError when vLLM is not installed."""
        require("vllm", "embedder=vllm")

    def identity(self) -> dict[str, str]:
        """What the model is now."""
        return model_identity(self.model)

    def embed(self, texts: Sequence[str], cache: Path) -> np.ndarray:
        """Raises UserError where the folder holds no model."""
        path = local_model(self.model, "embedder=vllm")
        if not texts:
            return np.zeros((0, 0), np.float32)
        from src.core.memory import release
        from src.generation.vllm_session import ON_GPU, on_cpu  # sets vLLM's environment before it is imported

        from vllm import LLM  # isort: skip

        on_this: dict[str, Any] = {} if ON_GPU else {"dtype": on_cpu("auto"), "kv_cache_memory_bytes": CPU_CACHE_BYTES}
        engine = LLM(path, runner="pooling", max_model_len=self.max_model_len, enforce_eager=True, **on_this)
        try:
            found = engine.embed(list(texts), use_tqdm=False)
        finally:
            del engine
            release()
        return normalised(np.array([output.outputs.embedding for output in found], np.float32))

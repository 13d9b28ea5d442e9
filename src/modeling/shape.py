"""The size of a decoder-only Transformer with gated feed-forward layers, from a few numbers. No torch: for plans."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
"""What Mixtral, Qwen and DeepSeek call the number of experts in a config.json."""


@dataclass(frozen=True)
class Shape:
    """hidden, kv, intermediate: widths of the stream, of keys (or values) over all heads, and of the feed-forward part.

    query: width of the queries over all heads, where it is not that of the stream.

    experts: feed-forward parts a layer, `experts_used` of which work on a token. tied: one matrix embeds and predicts.

    sandwich: each part of a layer is normalised before and after, queries and keys as well (Gemma 3).
    """

    hidden: int
    layers: int
    kv: int
    intermediate: int
    vocab: int
    experts: int = 1
    experts_used: int = 1
    tied: bool = False
    query: int | None = None
    sandwich: bool = False

    @property
    def parameters(self) -> float:
        """All weights; norms are left out."""
        return self.layers * self.layer_parameters + self.outer_parameters

    @property
    def layer_parameters(self) -> float:
        return self._layer(self.experts)

    @property
    def outer_parameters(self) -> float:
        """Of the embedding and the head."""
        return float(self.hidden * self.vocab * (1 if self.tied else 2))

    @property
    def working_parameters(self) -> float:
        """Those that a token meets in a matrix product."""
        return self.layers * self._layer(self.experts_used) + self.hidden * self.vocab

    def _layer(self, experts: int) -> float:
        attention = 2 * self.hidden * ((self.query or self.hidden) + self.kv)
        return float(attention + experts * 3 * self.hidden * self.intermediate)

    @classmethod
    def of_folder(cls, folder: Path) -> Shape | None:
        """From a Hugging Face `config.json`; None where there is none, or none of these numbers in it. Layers without
        experts in a model that has them (DeepSeek's first ones) are counted as the others."""
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            config = config.get("text_config", config)
            head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
            query = head * config["num_attention_heads"]
            experts = next((n for name in EXPERTS if (n := config.get(name))), 1)
            width = config.get("moe_intermediate_size") if experts > 1 else None
            shared = _shared_experts(config, width) if width else 0
            return cls(
                config["hidden_size"],
                config["num_hidden_layers"],
                head * (config.get("num_key_value_heads") or config["num_attention_heads"]),
                width or config["intermediate_size"],
                config["vocab_size"],
                experts + shared,
                (config.get("num_experts_per_tok") or 1) + shared if experts > 1 else 1,
                config.get("tie_word_embeddings", False),
                query if query != config["hidden_size"] else None,
                config.get("model_type", "").startswith("gemma3"),
            )
        except (FileNotFoundError, KeyError):
            return None


def _shared_experts(config: dict[str, Any], width: int) -> int:
    """Those that every token passes through, in experts of that width: Qwen's is one, as wide as several."""
    return int(config.get("n_shared_experts") or (config.get("shared_expert_intermediate_size") or 0) // width)

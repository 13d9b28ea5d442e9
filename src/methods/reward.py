"""A process reward model alone, for a model that is there already: `python -m src.train method=reward model=hf
model.name=DIR`. It leads the searches of `python -m src.evaluate`.

steps -> reward
"""

from __future__ import annotations

from src.methods.shared import reward_model
from src.pipeline.graph import Graph


def reward(graph: Graph) -> None:
    """It starts from the model whose solutions it learns from."""
    reward_model(graph, None, "model", alone=True)

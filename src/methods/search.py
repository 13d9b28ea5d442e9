"""Step search with a model that is there already: `python -m src.train method=search model=hf model.name=DIR`. MindStar
(arXiv 2405.16265) is led by a reward model; where `decoding` asks one and names none, it is trained here.

[steps -> reward ->] evaluate
"""

from __future__ import annotations

from src.config.mistakes import BROKEN
from src.methods.shared import check_trained, reward_model
from src.pipeline.graph import Graph
from src.stages.evaluate import Evaluate


def search(graph: Graph) -> None:
    """What a decoding chooses; all that are compared share the steps and the reward model."""
    exam = graph.stage(Evaluate, "evaluate", benchmarks="benchmark", decoding="decoding", model="model")
    check_trained(graph, exam)
    judge = reward_model(graph, None, "model", alone=exam is not BROKEN and exam.wants_reward)
    graph.add("evaluate", exam, reward=judge)

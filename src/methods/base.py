"""A base model alone: made from noise, it reads elementary skills. `make base` trains and ships one by this method.

base
"""

from __future__ import annotations

from src.pipeline.graph import Graph
from src.stages.base import Base


def base(graph: Graph) -> None:
    """What it reads is an option of its own: `sft@base.reading`."""
    graph.add("base", graph.stage(Base, "base", model="model", trainer="trainer"))

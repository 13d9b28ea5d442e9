"""One stage on rows of the user's own: `python -m src.stage clean rows=my.jsonl`.

rows -> clean | select | generate | pretrain | evaluate
"""

from __future__ import annotations

from src.config.mistakes import BROKEN
from src.generation.openai import OpenAIGenerator
from src.methods.shared import base
from src.pipeline.graph import Graph, Node
from src.stages.clean import Clean
from src.stages.generate import Generate
from src.stages.grade import Grade
from src.stages.pretrain import Pretrain
from src.stages.rows import Rows
from src.stages.select import Select
from src.stages.synthesizer import Synthesizer


def clean(graph: Graph) -> None:
    """The rows' problems, sifted and compared with each other and with the benchmarks."""
    rows = _rows(graph)
    graph.add("clean", graph.stage(Clean, "clean", benchmarks="benchmark"), passages=rows, generations=rows)


def select(graph: Graph) -> None:
    """The rows' problems, ranked."""
    rows, stage = _rows(graph), graph.stage(Select, "select", selector="selector", trainer="trainer")
    pool = {"passages": rows, "prompts": rows, "candidates": rows}
    graph.add("select", stage, **pool, synthesizer=_model(graph))


def generate(graph: Graph) -> None:
    """What the chosen model writes for the rows' prompts, or the one behind a server."""
    rows, stage = _rows(graph), graph.stage(Generate, "generate")
    served = stage is not BROKEN and isinstance(stage.engine, OpenAIGenerator)
    graph.add("generate", stage, prompts=rows, synthesizer=None if served else _model(graph))


def pretrain(graph: Graph) -> None:
    """A model trained on the rows' problems."""
    stage = graph.stage(Pretrain, "pretrain", sft="sft", trainer="trainer", benchmarks="benchmark")
    graph.add("pretrain", stage, base=base(graph, "base", "pretrain.model"), corpus=_rows(graph))


def evaluate(graph: Graph) -> None:
    """The rows' answers, graded."""
    graph.add("evaluate", graph.stage(Grade, "evaluate"), rows=_rows(graph))


def _rows(graph: Graph) -> Node:
    return graph.add("rows", graph.stage(Rows, "reading", reader="reader", fields="fields"))


def _model(graph: Graph) -> Node:
    """The chosen model as it comes, in a folder that engines load; one that is made here has read something before."""
    start = base(graph, "base", "synthesizer.model")
    return graph.add("model", graph.stage(Synthesizer, "synthesizer", trainer="trainer"), base=start)

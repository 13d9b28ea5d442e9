"""One stage on rows of the user's own: `python -m src.stage clean rows=my.jsonl`.

rows -> key_points [-> topics [-> ... -> consensus]] | clean | select | generate | pretrain | evaluate
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from src.config.mistakes import BROKEN
from src.generation.openai import OpenAIGenerator
from src.methods.kpdds import labelled, new_problems
from src.methods.shared import base
from src.pipeline.graph import Graph, Node
from src.stages.clean import Clean
from src.stages.generate import Generate
from src.stages.grade import Grade
from src.stages.key_points import KeyPoints
from src.stages.pretrain import Pretrain
from src.stages.rows import UserRows
from src.stages.select import Select
from src.stages.synthesizer import Synthesizer

Reading = TypeVar("Reading", Select, Pretrain)


def clean(graph: Graph) -> None:
    """The rows' problems, sifted and compared with each other and with the benchmarks."""
    rows = _rows(graph)
    graph.add("clean", graph.stage(Clean, "clean", benchmarks="benchmark"), passages=rows, generations=rows)


def key_points(graph: Graph) -> None:
    """The topics and key points of the rows' problems."""
    graph.add("key_points", graph.stage(KeyPoints, "key_points", teacher="teacher"), seeds=_rows(graph))


def topics(graph: Graph) -> None:
    """The same, with topics that mean the same merged, and which occur together."""
    labelled(graph, _rows(graph))


def consensus(graph: Graph) -> None:
    """New problems that practise what the rows' problems do, with solutions that most agree on."""
    rows = _rows(graph)
    new_problems(graph, labelled(graph, rows), rows)


def select(graph: Graph) -> None:
    """The rows' problems, ranked; no model is made for a selector that reads none."""
    rows, start = _rows(graph), None
    stage = graph.stage(Select, "select", selector="selector", trainer="trainer")
    graph.sections |= {"base", "model"}
    if stage is BROKEN or stage.selector.reads_model:
        start = base(graph, "base", "model")
    if stage is not BROKEN and stage.selector.reads_model and start is None:
        stage = graph.stage(Select, "select", selector="selector", trainer="trainer", model="model")
    if stage is not BROKEN and stage.selector.reads_model:
        stage = _expecting(stage, rows)
    graph.add("select", stage, passages=rows, prompts=rows, candidates=rows, synthesizer=start)


def generate(graph: Graph) -> None:
    """What the chosen model writes for the rows' prompts, or the one behind a server."""
    rows = _rows(graph)
    stage = graph.stage(Generate, "generate")
    hand_on = graph.stage(Synthesizer, "synthesizer", trainer="trainer")  # leaves the model in a folder, untaught
    if stage is BROKEN or isinstance(stage.engine, OpenAIGenerator):
        graph.add("generate", stage, prompts=rows)
        return
    model = graph.add("model", hand_on, base=base(graph, "base", "synthesizer.model"))
    graph.add("generate", stage, prompts=rows, synthesizer=model)


def pretrain(graph: Graph) -> None:
    """A model trained on the rows' problems."""
    rows = _rows(graph)
    stage = graph.stage(Pretrain, "pretrain", sft="sft", trainer="trainer", benchmarks="benchmark")
    start = base(graph, "base", "pretrain.model")
    graph.add("pretrain", _expecting(stage, rows), base=start, corpus=rows)


def evaluate(graph: Graph) -> None:
    """The rows' answers, graded."""
    graph.add("evaluate", graph.stage(Grade, "evaluate"), rows=_rows(graph))


def _rows(graph: Graph) -> Node:
    return graph.add("rows", graph.stage(UserRows, "reading", reader="reader", fields="fields"))


def _expecting(stage: Reading, rows: Node) -> Reading:
    """The stage with a guess at what it will read, for a plan, unless it was given one."""
    if stage is BROKEN or rows.stage is BROKEN or stage.expected_tokens is not None:
        return stage
    assert isinstance(rows.stage, UserRows)
    return replace(stage, expected_tokens=rows.stage.expected_tokens())

"""Key-point-driven synthesis (KPDDS, arXiv 2403.02333), as in its Figure 1: a teacher names the key points of seed
problems, and writes, rates and solves new problems that practise those of topics that occur together.

seeds -> key_points -> topics -> compositions -> questions -> rating -> answers -> consensus -> clean -> pretrain
      -> evaluate
"""

from __future__ import annotations

from src.methods.shared import examined_base, examined_student
from src.pipeline.graph import Graph, Node
from src.stages.answers import Answers
from src.stages.clean import Clean
from src.stages.compositions import Compositions
from src.stages.consensus import Consensus
from src.stages.key_points import KeyPoints
from src.stages.questions import Questions
from src.stages.rating import RateQuestions
from src.stages.seeds import Seeds
from src.stages.topics import Topics


def kpdds(graph: Graph) -> None:
    """All four kinds of asking go to one teacher, and to one budget."""
    seeds = graph.add("seeds", graph.stage(Seeds, "seeds"))
    agreed = new_problems(graph, labelled(graph, seeds), seeds)
    clean = graph.stage(Clean, "clean", benchmarks="benchmark")
    corpus = graph.add("clean", clean, passages=seeds, generations=agreed, seeds=seeds)
    examined_student(graph, corpus, *examined_base(graph))


def labelled(graph: Graph, seeds: Node) -> Node:
    """The seeds' topics."""
    key_points = graph.add("key_points", graph.stage(KeyPoints, "key_points", teacher="teacher"), seeds=seeds)
    return graph.add("topics", graph.stage(Topics, "topics", embedder="embedder"), key_points=key_points)


def new_problems(graph: Graph, topics: Node, seeds: Node) -> Node:
    """Problems that practise several topics, with the solutions that most agree on."""
    add, stage = graph.add, graph.stage
    drawn = add("compositions", stage(Compositions, "compositions"), seeds=seeds, topics=topics)
    written = add("questions", stage(Questions, "questions", teacher="teacher"), compositions=drawn)
    good = add("rating", stage(RateQuestions, "rating", teacher="teacher"), questions=written)
    solved = add("answers", stage(Answers, "answers", teacher="teacher"), questions=good, seeds=seeds, topics=topics)
    return add("consensus", stage(Consensus, "consensus"), questions=good, answers=solved)

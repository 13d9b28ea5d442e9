"""The baseline that every method is measured by: the teacher's problems are the corpus; as many calls, no synthesizer.

corpus -> prompts -> distil -> clean -> pretrain -> evaluate
"""

from __future__ import annotations

from src.methods.shared import examined_base, examined_student
from src.pipeline.graph import Graph
from src.stages.clean import Clean
from src.stages.corpus import Corpus
from src.stages.distil import Distil
from src.stages.prompts import Prompts


def direct(graph: Graph) -> None:
    """The teacher is asked about prompts drawn at random."""
    add, stage = graph.add, graph.stage
    corpus = add("corpus", stage(Corpus, "passages", reader="corpus"))
    prompts = add("prompts", stage(Prompts, "prompts", prompt_set="prompt_set"), passages=corpus)
    distil = add("distil", stage(Distil, "distil", teacher="teacher", benchmarks="benchmark"), prompts=prompts)
    clean = add("clean", stage(Clean, "clean", benchmarks="benchmark"), passages=corpus, generations=distil)
    examined_student(graph, clean, *examined_base(graph))

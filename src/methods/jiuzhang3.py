"""JiuZhang3.0 (arXiv 2405.14365), as in its Figure 2: a small model learns from a teacher to write problems, and writes
the corpus that the student reads.

corpus -> prompts -> distill_1 -> synthesizer_1 -> candidates -> select -> distill_2 -> synthesizer_2
       -> generate -> clean -> pretrain -> evaluate
"""

from __future__ import annotations

from src.methods.shared import base, examined_base, examined_student
from src.pipeline.graph import Graph, Node
from src.stages.clean import Clean
from src.stages.corpus import Corpus
from src.stages.distil import Distil
from src.stages.generate import Generate
from src.stages.prompts import Prompts
from src.stages.select import Select
from src.stages.synthesizer import Synthesizer


def jiuzhang3(graph: Graph) -> None:
    """`rounds` of distillation: 2, 1 without selection, 0 with a synthesizer that nobody taught. `corpus_from`: the
    synthesizer writes from the prompts of the whole pool, or from those that were chosen for the teacher."""
    add, stage = graph.add, graph.stage
    rounds = graph.option("rounds", choices=(0, 1, 2))
    source = graph.option("corpus_from", choices=("pool", "chosen") if rounds == 2 else ("pool",))
    ask_1 = stage(Distil, "distil", "round_1", teacher="teacher", benchmarks="benchmark")
    ask_2 = stage(Distil, "distil", "round_2", teacher="teacher", benchmarks="benchmark")
    learn = stage(Synthesizer, "synthesizer", trainer="trainer")
    draft = stage(Generate, "candidates")
    choose = stage(Select, "select", selector="selector", trainer="trainer")
    write = stage(Generate, "generate")
    taught: dict[str, Node] = {}

    corpus = add("corpus", stage(Corpus, "passages", reader="corpus"))
    prompts = add("prompts", stage(Prompts, "prompts", prompt_set="prompt_set"), passages=corpus)
    if rounds:
        taught["distilled_1"] = add("distill_1", ask_1, prompts=prompts)
    start, baseline = examined_base(graph)
    writer = base(graph, "writer_base", "synthesizer.model")
    synthesizer = add(f"synthesizer_{min(rounds, 1)}", learn, base=writer, prompts=prompts, **taught)
    if rounds == 2:
        drafts = add("candidates", draft, prompts=prompts, synthesizer=synthesizer, exclude=taught["distilled_1"])
        pool = {"passages": corpus, "prompts": prompts, "candidates": drafts}
        best = add("select", choose, **pool, synthesizer=synthesizer)
        taught["distilled_2"] = add("distill_2", ask_2, prompts=best)
        synthesizer = add("synthesizer_2", learn, base=writer, prompts=prompts, **taught)
        prompts = best if source == "chosen" else prompts
    written = add("generate", write, prompts=prompts, synthesizer=synthesizer)
    clean = add("clean", stage(Clean, "clean", benchmarks="benchmark"), passages=corpus, generations=written, **taught)
    examined_student(graph, clean, start, baseline)

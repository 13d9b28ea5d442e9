"""DeepSeek-Prover (arXiv 2405.14333): a model proves statements or refutes them, a checker says which proofs hold, and
the model learns from them and tries again.

worked -> prover_0;  statements -> filter;  then, round by round,
filter + prover_(r-1) -> prove_r -> prover_r;  each prover is examined
"""

from __future__ import annotations

from dataclasses import replace

from src.config.mistakes import BROKEN
from src.methods.shared import base
from src.pipeline.graph import Graph, Node
from src.stages.pretrain import Pretrain
from src.stages.prove import ExamineProver, Prove
from src.stages.theorems import StatementFilter, Theorems


def prover(graph: Graph) -> None:
    """`rounds` of proving and learning, after a start on worked examples."""
    add, stage = graph.add, graph.stage
    rounds = graph.option("rounds", choices=range(1, 9))
    work = stage(Theorems, "worked", checker="checker")
    pose = stage(Theorems, "theorems", checker="checker")
    sift = stage(StatementFilter, "statement_filter", checker="checker")
    prove = stage(Prove, "prove", checker="checker")
    learn = stage(Pretrain, "pretrain", trainer="trainer")
    examine = stage(ExamineProver, "exam", checker="checker")

    worked = add("worked", work)
    statements = add("statements", pose)
    sound = add("filter", sift, statements=statements)
    start = base(graph, "base", "pretrain.model")
    model = add("prover_0", learn, base=start, corpus=worked)
    exams = {"earlier_0": add("evaluate_0", examine, pretrain=model)}
    found: dict[str, Node] = {}
    for number in range(1, rounds + 1):
        earlier = {f"earlier_{n}": node for n, node in enumerate(found.values(), 1)}
        of_round = prove if prove is BROKEN else replace(prove, round=number)
        found[f"corpus_{number}"] = add(f"prove_{number}", of_round, statements=sound, prover=model, **earlier)
        model = add(f"prover_{number}", learn, base=start, corpus=worked, **found)
        name = "evaluate" if number == rounds else f"evaluate_{number}"
        exams[f"earlier_{number}"] = add(name, examine, pretrain=model, **exams)

"""DeepSeek-Prover (arXiv 2405.14333): a model proves statements or refutes them, a checker says which proofs hold, and
the model learns from them and tries again.

worked -> prover_0;  statements (-> translate, with prover_0) -> well_formed -> rating -> consistent;  then, round by
round,  consistent + prover_(r-1) -> prove_r -> prover_r;  each prover is examined
"""

from __future__ import annotations

from dataclasses import replace

from src.config.mistakes import BROKEN
from src.core.records import BASE
from src.methods.shared import base
from src.pipeline.graph import Graph, Node
from src.stages.pretrain import Pretrain
from src.stages.prove import ExamineProver, Prove
from src.stages.theorems import Consistent, RateStatements, Theorems, WellFormed
from src.stages.translate import Translate


def prover(graph: Graph) -> None:
    """`rounds` of proving and learning, after a start on worked examples."""
    add, stage = graph.add, graph.stage
    rounds = graph.option("rounds", choices=range(1, 9))
    translates = graph.option("translator", choices=("families", "prover")) == "prover"
    work = stage(Theorems, "worked", checker="checker")
    pose = stage(Theorems, "theorems", checker="checker")
    translate = stage(Translate, "translation", checker="checker")
    prove = stage(Prove, "prove", checker="checker")
    learn = stage(Pretrain, "pretrain", trainer="trainer")
    examine = stage(ExamineProver, "exam", checker="checker")

    if translates and BROKEN not in (work, pose):  # no fault is planted in what is read for its words alone
        work, pose = replace(work, translations=True), replace(pose, error_rate=0.0)
    worked, posed = add("worked", work), add("statements", pose)
    start = base(graph, "base", "pretrain.model")
    model = add("prover_0", learn, base=start, corpus=worked)
    statements = filtered(graph, add("translate", translate, statements=posed, prover=model) if translates else posed)
    first = add("evaluate_0", examine if examine is BROKEN else replace(examine, label=BASE), pretrain=model)
    exams = {"baseline": first, "earlier_0": first}
    found: dict[str, Node] = {}
    for number in range(1, rounds + 1):
        earlier = {f"earlier_{n}": node for n, node in enumerate(found.values(), 1)}
        of_round = prove if prove is BROKEN else replace(prove, round=number)
        found[f"corpus_{number}"] = add(f"prove_{number}", of_round, statements=statements, prover=model, **earlier)
        model = add(f"prover_{number}", learn, base=start, corpus=worked, **found)
        name = "evaluate" if number == rounds else f"evaluate_{number}"
        exams[f"earlier_{number}"] = add(name, examine, pretrain=model, **exams)


def filtered(graph: Graph, statements: Node) -> Node:
    """The statements that are worth a proof; without `rating` none is rated."""
    add, stage = graph.add, graph.stage
    statements = add("well_formed", stage(WellFormed, "well_formed", checker="checker"), statements=statements)
    if graph.wants("rating"):
        rate = stage(RateStatements, "rating", checker="checker", teacher="teacher")
        statements = add("rating", rate, statements=statements)
    return add("consistent", stage(Consistent, "consistent", checker="checker"), statements=statements)

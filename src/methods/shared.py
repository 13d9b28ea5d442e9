"""What methods have in common: where models come from, and how a student is trained on a corpus and examined."""

from __future__ import annotations

from src.config.mistakes import BROKEN
from src.pipeline.graph import Graph, Node
from src.stages.base import Base
from src.stages.evaluate import Evaluate
from src.stages.pretrain import Pretrain
from src.stages.reward import Reward
from src.stages.steps import StepData


def base(graph: Graph, name: str, model: str) -> Node | None:
    """The node that makes the model at that path of the configuration; None for a model that comes trained."""
    stage = graph.stage(Base, "base", model=model, trainer="trainer")
    made_here = stage is not BROKEN and stage.model.made_here
    return graph.add(name, stage) if made_here else None


def check_trained(graph: Graph, stage: Evaluate | StepData) -> None:
    """Note as a mistake a model that would be made in the run, in a method that takes one that is there."""
    if stage is not BROKEN and stage.model is not None and stage.model.made_here:
        graph.mistakes.add("model", "is one that a run makes; name one that is there: model=hf model.name=DIR")


def examined_base(graph: Graph) -> tuple[Node | None, Node | None]:
    """The student's base where it is made in the run, and its examination where `evaluate.baseline` asks for one."""
    start = base(graph, "base", "pretrain.model")
    stage = graph.stage(Evaluate, "evaluate", benchmarks="benchmark", model="pretrain.model")
    asked = stage is not BROKEN and stage.baseline
    return start, graph.add("evaluate_base", stage, base=start) if asked else None


def examined_student(
    graph: Graph, corpus: Node, start: Node | None, baseline: Node | None, sft: str | None = "sft"
) -> None:
    """The student that learns from a clean corpus, and from the fine-tuning set at `sft`; and its examination."""
    fine_tuning = {"sft": sft} if sft else {}
    stage = graph.stage(Pretrain, "pretrain", trainer="trainer", benchmarks="benchmark", **fine_tuning)
    student = graph.add("pretrain", stage, base=start, corpus=corpus)
    exam = graph.stage(Evaluate, "evaluate", benchmarks="benchmark", decoding="decoding")
    wanted = exam is not BROKEN and exam.wants_reward
    judge = reward_model(graph, student if wanted else None, "pretrain.model")
    graph.add("evaluate", exam, baseline=baseline, pretrain=student, reward=judge if wanted else None)


def reward_model(graph: Graph, student: Node | None, model: str, alone: bool = False) -> Node | None:
    """A process reward model that starts from the student and learns from its solutions, or, `alone`, from the model at
    that path of the configuration. None where there is neither; its sections count as known all the same."""
    steps = graph.stage(StepData, "steps", benchmarks="benchmark", model=model)
    learn = graph.stage(Reward, "reward", model=model, trainer="trainer")
    if alone:
        check_trained(graph, steps)
    elif student is None:
        return None
    data = graph.add("steps", steps, pretrain=student)
    return graph.add("reward", learn, steps=data, pretrain=student)

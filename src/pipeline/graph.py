"""The method, as in Figure 2 of JiuZhang3.0: twelve nodes, nine kinds of stage.

corpus -> prompts -> distill_1 -> synthesizer_1 -> candidates -> select -> distill_2 -> synthesizer_2
       -> generate -> clean -> pretrain -> evaluate

Beside it, shared by every run: `base`, which gives a model that is made here something to read before all this, and
`evaluate_base`, the examination of the model that the student starts from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from typing import Any

from src.config.build import bind
from src.config.mistakes import Mistakes
from src.core.errors import UserError
from src.core.fingerprint import stage_key
from src.core.stage import Stage


@dataclass(frozen=True)
class Node:
    """A stage in its place: its name in the method, its options, and the nodes that feed it, by input name."""

    name: str
    stage: Stage
    inputs: dict[str, Node] = field(default_factory=dict)
    key: str = field(init=False)
    absent: list[UserError] = field(init=False, default_factory=list)  # files and packages that are not at hand

    def __post_init__(self) -> None:
        inputs = {name: node.key for name, node in self.inputs.items()}
        object.__setattr__(self, "key", stage_key(self.stage, inputs, self.absent))


def method(cfg: Mapping[str, Any], mistakes: Mistakes) -> list[Node]:
    """All nodes in the order of their work; fewer where `rounds` is less than two. Raises a `UserError`
    that lists every mistake of the configuration, those that were found elsewhere before included."""
    stage = StageBuilder(cfg, mistakes)
    if (rounds := cfg["rounds"]) not in (0, 1, 2):
        mistakes.add("rounds", f"the teacher is asked in 0, 1 or 2 rounds, not {rounds}")

    writer_base = stage("base.Base", "base", model="synthesizer.model", trainer="trainer")
    student_base = stage("base.Base", "base", model="pretrain.model", trainer="trainer")
    corpus = stage("corpus.Corpus", "passages", reader="corpus")
    prompts = stage("prompts.Prompts", "prompts", prompt_set="prompt_set")
    distil_1 = stage("distil.Distil", "distil", "round_1", teacher="teacher")
    distil_2 = stage("distil.Distil", "distil", "round_2", teacher="teacher")
    synthesizer = stage("synthesizer.Synthesizer", "synthesizer", trainer="trainer")
    candidates = stage("generate.Generate", "candidates")
    select = stage("select.Select", "select", selector="selector", trainer="trainer")
    generate = stage("generate.Generate", "generate")
    clean = stage("clean.Clean", "clean", benchmarks="benchmark")
    pretrain = stage("pretrain.Pretrain", "pretrain", sft="sft", trainer="trainer", benchmarks="benchmark")
    baseline = stage("evaluate.Evaluate", "evaluate", benchmarks="benchmark", model="pretrain.model")
    evaluate = stage("evaluate.Evaluate", "evaluate", benchmarks="benchmark")
    mistakes.raise_if_any("Nothing was computed. `python -m src.train --cfg job` shows the whole configuration.")

    passages = Node("corpus", corpus)
    asked = Node("prompts", prompts, {"passages": passages})
    taught_1 = Node("distill_1", distil_1, {"prompts": asked})
    begun = {"base": Node("base", student_base)} if student_base.model.made_here else {}
    writer_begun = {"base": Node("writer_base", writer_base)} if writer_base.model.made_here else {}
    if writer_base == student_base:
        writer_begun = begun
    before = {"baseline": Node("evaluate_base", baseline, begun)} if evaluate.baseline else {}
    untaught = Node("synthesizer_0", synthesizer, {**writer_begun, "prompts": asked})
    writer_1 = Node("synthesizer_1", synthesizer, {**writer_begun, "prompts": asked, "distilled_1": taught_1})
    drafts = Node("candidates", candidates, {"prompts": asked, "synthesizer": writer_1, "exclude": taught_1})
    pool = {"passages": passages, "prompts": asked, "candidates": drafts}
    chosen = Node("select", select, {**pool, "synthesizer": writer_1})
    taught_2 = Node("distill_2", distil_2, {"prompts": chosen})
    both = {"distilled_1": taught_1, "distilled_2": taught_2}
    writer_2 = Node("synthesizer_2", synthesizer, {**writer_begun, "prompts": asked, **both})
    bases = list({node.key: node for node in (*begun.values(), *writer_begun.values())}.values())
    start = [*bases, *before.values()]
    round_1, round_2 = [taught_1, *start, writer_1], [drafts, chosen, taught_2, writer_2]
    distillation = [[*start, untaught], round_1, round_1 + round_2][rounds]
    asked_before: dict[str, Node] = [{}, {"distilled_1": taught_1}, both][rounds]
    written = Node("generate", generate, {"prompts": asked, "synthesizer": distillation[-1]})
    cleaned = Node("clean", clean, {"passages": passages, "generations": written, **asked_before})
    student = Node("pretrain", pretrain, {**begun, "corpus": cleaned})
    verdict = Node("evaluate", evaluate, {**before, "pretrain": student})

    return [passages, asked, *distillation, written, cleaned, student, verdict]


class StageBuilder:
    """Builds stages from sections of the config, collecting the mistakes of all of them.

    `stage("distil.Distil", "distil", "round_1", teacher="teacher")` merges the sections `distil` and `round_1` and
    feeds the node `teacher` to the field of that name; it returns the stage, or `BROKEN`. A mistake is reported under
    the path that the user typed.
    """

    def __init__(self, cfg: Mapping[str, Any], mistakes: Mistakes):
        self.cfg, self.mistakes = cfg, mistakes

    def __call__(self, target: str, *sections: str, **mounts: str) -> Any:
        options: dict[str, Any] = {"_target_": f"src.stages.{target}"}
        homes: dict[str, str] = {}
        for section in sections:
            options.update(self.cfg[section] or {})
            homes.update({name: f"{section}.{name}" for name in self.cfg[section] or {}})
        for name, root in mounts.items():
            options[name], homes[name] = reduce(getitem, root.split("."), self.cfg), root
        found = Mistakes()
        built = bind(options, sections[0], found)
        for mistake in found:
            if (line := _at_home(mistake, sections[0], homes)) not in self.mistakes:
                self.mistakes.append(line)
        return built


def _at_home(mistake: str, section: str, homes: Mapping[str, str]) -> str:
    """Replace the stage's own path of an option by where it stands in the config."""
    for name, home in homes.items():
        inner = f"{section}.{name}"
        if mistake.startswith(inner) and mistake[len(inner)] in ".[:":
            return home + mistake[len(inner) :]
        if mistake.startswith(f"{section}: {name} "):  # refused by the stage as a whole, which says which option
            return home + mistake[len(section) :]
    return mistake

"""Prompt sets: which education stages are asked for, how often, and in what words."""

from __future__ import annotations

import hashlib
import math
import random
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

from src.core.fingerprint import not_in_key
from src.core.records import Passage, Prompt, content_id, seed_from
from src.prompts import templates
from src.text.sentences import cut

STAGES = ("grade_school", "middle_school", "high_school", "college", "amc8", "amc10", "amc12", "aime")

Kind = Literal["cot", "tool"]


def _uniform() -> dict[str, float]:
    return dict.fromkeys(STAGES, 1.0)


@dataclass(frozen=True)
class PromptSet:
    """Draws an education stage and a kind for each passage and writes the prompt.

    stages: weight of each stage; they need not sum to one, and a stage of weight 0 is never drawn.
    tool_share: share of prompts that ask for a solution by Python code.
    form: "full" is written for a model that follows instructions; "brief" is the passage and the stage's name, all
        that a model of a million parameters can make use of.
    with_passage: False leaves the passage out of the text (the prompt still belongs to it).
    chars, tool_chars: the passage is cut to so many characters, by kind.
    single: one wording for all stages: the prompt no longer says which is wanted.
    folder: of own words for the form "full", in the manner of `src/prompts/templates`: a file there stands in for the
        one of its name; STAGE.md adds a stage, which `stages` may then weigh, tool_STAGE.md asks for a program on that
        stage, and tool_examples.jsonl brings other solved problems.
    """

    stages: dict[str, float] = field(default_factory=_uniform)
    tool_share: float = 0.25
    form: Literal["full", "brief"] = "full"
    with_passage: bool = True
    chars: int = 1_000
    tool_chars: int = 2_000
    single: bool = False
    folder: str | None = field(default=None, metadata=not_in_key("where own words lie; their content is in identity()"))

    def __post_init__(self) -> None:
        for stage, weight in self.stages.items():
            self._check_stage(stage)
            if not 0 <= weight < float("inf"):
                raise ValueError(f"the weight of '{stage}' must be at least 0, not {weight}")
        if not self.drawn_stages:
            raise ValueError("stages must give at least one stage a weight above 0")
        if not 0 <= self.tool_share <= 1:
            raise ValueError(f"tool_share must lie in [0, 1], not {self.tool_share}")
        if min(self.chars, self.tool_chars) < 1:
            raise ValueError("chars and tool_chars must be positive")

    def identity(self) -> dict[str, str]:
        """The hash of the words that the form is written of: templates and examples, or the brief lines."""
        text = self._words.text if self.form == "full" else "\n".join(templates.brief_forms())
        return {"templates": hashlib.sha256(text.encode()).hexdigest()}

    @cached_property
    def _words(self) -> templates.StageWords:
        return templates.words(self.folder)

    @property
    def known_stages(self) -> tuple[str, ...]:
        """In the order of schooling (not of the config: order must not matter), then those of `folder`, by name."""
        return (*STAGES, *(stage for stage in self._words.stages if stage not in STAGES))

    @property
    def drawn_stages(self) -> tuple[str, ...]:
        """The stages of weight above 0, in the order of `known_stages`."""
        return tuple(stage for stage in self.known_stages if self.stages.get(stage, 0) > 0)

    @property
    def shortest(self) -> int:
        """Characters of the shortest prompt that can be drawn: of a passage of one character."""
        passage, example = Passage("", "", ".", {}), min(self._words.tool_examples, key=len)
        shares: dict[Kind, float] = {"cot": 1 - self.tool_share, "tool": self.tool_share}
        kinds = [kind for kind, share in shares.items() if share > 0]
        return min(len(self.render(passage, stage, kind, example)) for stage in self.drawn_stages for kind in kinds)

    def prompts(self, passage: Passage, data_seed: int, count: int = 1) -> list[Prompt]:
        """`count` prompts of different stages; they depend on the passage's id and the seed, on nothing else."""
        dice = random.Random(seed_from("prompts", data_seed, passage.id))
        return [self._prompt(passage, stage, dice) for stage in self._draw_stages(dice, count)]

    def render(self, passage: Passage, stage: str, kind: Kind, example: str = "") -> str:
        """The prompt's text. `example`: a solved problem, shown in full prompts of kind "tool"."""
        self._check_stage(stage)
        text = cut(passage.text, self.tool_chars if kind == "tool" else self.chars) if self.with_passage else ""
        stage = "" if self.single else stage
        if self.form == "brief":
            return templates.brief(stage, kind, text)
        return self._words.full(stage, kind, text, example)

    def _prompt(self, passage: Passage, stage: str, dice: random.Random) -> Prompt:
        kind: Kind = "tool" if dice.random() < self.tool_share else "cot"
        example = self._example(dice)  # drawn always, so that the dice fall alike for every kind
        text = self.render(passage, stage, kind, example)
        return Prompt(content_id(passage.id, stage, kind, text), passage.id, stage, kind, text)

    def _example(self, dice: random.Random) -> str:
        """The form "brief" shows none and its `identity` knows of none: its dice fall as for ten, whatever is there."""
        return dice.choice(self._words.tool_examples if self.form == "full" else [""] * 10)

    def _draw_stages(self, dice: random.Random, count: int) -> list[str]:
        """Weighted, without replacement: each stage gets the key u^(1/w), the greatest keys win (Efraimidis and
        Spirakis 2006); in logarithms, as small weights would make all keys 0."""
        keys = {
            stage: -math.log(dice.random() or sys.float_info.min) / self.stages[stage] for stage in self.drawn_stages
        }
        return sorted(keys, key=lambda stage: (keys[stage], stage))[:count]

    def _check_stage(self, stage: str) -> None:
        if stage not in self.known_stages:
            near = get_close_matches(stage, self.known_stages, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(self.known_stages)}"
            raise ValueError(f"there is no education stage '{stage}'; {hint}")

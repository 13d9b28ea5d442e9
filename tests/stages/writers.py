"""Generators for the tests of the stages, and the folders they work in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from src.core.records import Prompt, write_table
from src.core.stage import Artifact, StageContext
from src.generation.base import Completion, Generator, Session

ANSWERS = {
    "fails": Completion("", "", "error", error="server error: 500"),
    "cut": Completion("", "[Problem]\nWhat is 1 + 1?\n\n[Solution]\nFirst", "length", 10, 20),
    "chatter": Completion("", "Sure! Here you go.", "stop", 10, 4),
    "boxless": Completion(
        "", "[Problem]\nWhat is the sum of 1 and 1?\n\n[Solution]\nThe sum of both is 2.", "stop", 10, 9
    ),
}


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


@dataclass(frozen=True)
class Scripted(Generator):
    """Answers by what the prompt's last word asks for; dies after `lifetime` answers; logs each request it is asked."""

    log: Path
    backwards: bool = False
    lifetime: int | None = None
    heal: bool = False

    @property
    def name(self) -> str:
        return "scripted"

    def open(self, model, cache):
        self.log.parent.mkdir(exist_ok=True, parents=True)
        with self.log.open("a") as log:
            log.write(f"open {model}\n")
        return _ScriptedSession(self)


class _ScriptedSession(Session):
    def __init__(self, options):
        self.options = options

    def stream(self, requests):
        asked = list(requests)
        for n, request in enumerate(reversed(asked) if self.options.backwards else asked):
            if n == self.options.lifetime:
                raise Killed
            with self.options.log.open("a") as log:
                log.write(f"{request.id} {request.seed} {request.sampling.temperature} {request.prompt!r}\n")
            yield self.answer(request)

    def answer(self, request):
        word = request.prompt.split()[-1]
        if word in ANSWERS and not (word == "fails" and self.options.heal):
            kept = ANSWERS[word]
            return Completion(
                request.id, kept.text, kept.finish_reason, kept.prompt_tokens, kept.completion_tokens, kept.error
            )
        text = f"[Problem]\nWhat is {request.seed} + 1?\n\n[Solution]\nIt is \\boxed{{{request.seed + 1}}}."
        return Completion(request.id, text, "stop", 10, 20)


def prompts(n, word="please", kind="cot"):
    return [Prompt(f"p{word}{i:04d}", f"passage{i}", "college", kind, f"Passage {i}, {word}") for i in range(n)]


def artifact(folder, table, record, rows):
    write_table(folder / table, record, rows)
    return Artifact(folder)


def context(folder, try_=0, **inputs):
    """A stage's second try has a new `out` and the old `work`."""
    out = folder / f"out{try_}"
    out.mkdir(parents=True)
    (folder / "work").mkdir(exist_ok=True)
    return StageContext(out=out, work=folder / "work", inputs=inputs, cache=folder / "cache")


def table_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}

"""Asking a generator for many texts, so that a kill costs only those in flight.

Every text is journalled the moment it ends. A failure is not: the same command again asks for it again.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.records import Generation, Prompt
from src.core.stage import StageContext
from src.generation.base import Completion, Request, Sampling, Session
from src.stages.sorting import in_order

Ask = tuple[Prompt, Request]
ROWS_IN_MEMORY = 20_000  # while texts are sorted: some 60 MB


@dataclass
class Asking:
    """One round of questions of a stage. `generator`: the name that the texts carry. `part`: tells the rounds of one
    stage apart, in the names of their files.

    The journal waits for no disk: a text that cost money is in the generator's own cache before it comes here.
    """

    ctx: StageContext
    generator: str
    part: str = ""
    failed: Counter[str] = field(default_factory=Counter)
    transient: Counter[str] = field(default_factory=Counter)  # of the failed: those that another time may spare
    notes: Counter[str] = field(default_factory=Counter)  # what was odd about texts that are kept
    new_tokens: int = 0
    cached_tokens: int = 0  # of the prompts of all `answers`, billed at their own price
    seconds: float = 0.0  # of asking alone, without the generator's start

    @property
    def tokens_per_second(self) -> float:
        """Since the stage last went on; 0 when nothing was left to ask."""
        return self.new_tokens / self.seconds if self.seconds else 0.0

    def all(self, asks: Iterable[Ask], total: int, start: Callable[[], AbstractContextManager[Session]]) -> None:
        """Have every ask answered or failed. The generator is not even started when nothing is left to ask."""
        with Journal(self._folder) as journal, self._dead_letters.open("w", encoding="utf-8", errors="replace") as dead:
            done = journal.ids()
            left = (ask for ask in asks if ask[1].id not in done)
            first = next(left, None)
            if first is None:
                return
            bar = self.ctx.progress(f"asking {self.generator}", total=total, unit="texts", done=len(done))
            with start() as session, bar:
                started = time.monotonic()
                session.expected = total - len(done)
                for prompt, completion in _answers(session, chain([first], left)):
                    if completion.finish_reason == "error":
                        self._bury(dead, prompt, completion)
                    else:
                        journal.append(completion.id, self._row(prompt, completion))
                        self.notes.update([completion.note] if completion.note else [])
                        self.new_tokens += completion.completion_tokens
                    bar.advance()
                self.seconds = time.monotonic() - started

    def answers(self) -> Iterator[tuple[Generation, int]]:
        """(text, tokens of its prompt) for all that was answered, now or before a kill, sorted by id."""
        self.cached_tokens = 0
        with Journal(self._folder) as journal:
            for _, row in in_order(journal.rows(), self.ctx.work / "sorting", ROWS_IN_MEMORY):
                prompt_tokens = row.pop("prompt_tokens")
                self.cached_tokens += row.pop("cached_tokens", 0)
                yield Generation(**row), prompt_tokens

    def settle(self, asked: int, most_failed: float, tallied: bool = True) -> None:
        """Count the failures, and leave their list with the stage. Raises UserError when too many failed, or any that
        another time may spare: a finished stage is never asked again.

        tallied: whether each text is a row of the stage's, so that its tally counts the failures as well."""
        if self.transient:
            reasons = ", ".join(f"{n} x {reason}" for reason, n in self.transient.most_common(3))
            raise UserError(
                f"{self.transient.total()} of {asked} texts are not to be had from {self.generator} now: {reasons}. "
                f"The list is in {self._dead_letters}.",
                "The same command again asks for these alone. Where a server fails at them for good, the generator's "
                "max_retries=0 gives them up.",
            )
        for note, n in self.notes.items():
            self.ctx.summary[f"notes/{note}"] = self.ctx.summary.get(f"notes/{note}", 0) + n
        for reason, n in self.failed.items() if tallied else ():
            self.ctx.tally.fail(reason, n)
        lost = self.failed.total()
        if lost > most_failed * asked:
            reasons = ", ".join(f"{n} x {reason}" for reason, n in self.failed.most_common(3))
            raise UserError(
                f"{lost} of {asked} texts could not be had from {self.generator}: {reasons}. "
                f"The list is in {self._dead_letters}.",
                "The same command again asks for these alone; the option `max_failed` says how many may be lost.",
            )
        if lost:
            (self.ctx.out / self._dead_letters.name).write_bytes(self._dead_letters.read_bytes())

    @property
    def _folder(self) -> Path:
        return self.ctx.work / f"answers{self.part}"

    @property
    def _dead_letters(self) -> Path:
        return self.ctx.work / f"dead_letter{self.part}.jsonl"

    def _row(self, prompt: Prompt, completion: Completion) -> dict[str, Any]:
        """The fields of a `Generation`, and the tokens of its prompt."""
        return {
            "id": completion.id,
            "prompt_id": prompt.id,
            "passage_id": prompt.passage_id,
            "stage": prompt.stage,
            "kind": prompt.kind,
            "text": completion.text,
            "finish_reason": completion.finish_reason,
            "tokens": completion.completion_tokens,
            "generator": self.generator,
            "prompt_tokens": completion.prompt_tokens,
            "cached_tokens": completion.cached_tokens,
        }

    def _bury(self, dead: Any, prompt: Prompt, completion: Completion) -> None:
        error = completion.error or "unknown error"
        reason = error.partition(":")[0]
        self.failed[reason] += 1
        self.transient.update([reason] if completion.transient else [])
        row = {"id": completion.id, "prompt_id": prompt.id, "stage": prompt.stage, "kind": prompt.kind, "error": error}
        dead.write(json.dumps(row, ensure_ascii=False) + "\n")
        dead.flush()


def _answers(session: Session, asks: Iterable[Ask]) -> Iterator[tuple[Prompt, Completion]]:
    """Completions with the prompts they belong to; only those in flight are held."""
    waiting: dict[str, Prompt] = {}

    def requests() -> Iterator[Request]:
        for prompt, request in asks:
            waiting[request.id] = prompt
            yield request

    for completion in session.stream(requests()):
        yield waiting.pop(completion.id), completion


def sampling_by_kind(options: Mapping[str, Any]) -> dict[str, Sampling]:
    """Plain options, as the config gives them, made `Sampling`. Raises ValueError for kinds that no prompt has."""
    if not options or not options.keys() <= {"cot", "tool"}:
        raise ValueError(f"sampling must be given for cot, tool or both, not for {', '.join(options) or 'none'}")
    return {kind: value if isinstance(value, Sampling) else Sampling(**value) for kind, value in options.items()}


def sampling_for(prompt: Prompt, sampling: Mapping[str, Sampling]) -> Sampling:
    """Raises UserError when the config says nothing about prompts of this kind."""
    if prompt.kind not in sampling:
        raise UserError(
            f"There are prompts of kind {prompt.kind}, but sampling is given for {', '.join(sampling)} only.",
            f"Set sampling.{prompt.kind} in the config, or take a prompt set without them.",
        )
    return sampling[prompt.kind]

"""The stage `translate`: a model states problems formally, from their words alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from src.checking.base import Checker
from src.core.checks import at_least
from src.core.fingerprint import not_in_key
from src.core.records import content_id, seed_from, write_table
from src.core.stage import Stage, StageContext, Upstream
from src.generation.base import Generator, Request, Sampling
from src.modeling.estimate import writing_cost
from src.modeling.shape import Shape
from src.stages.prove import ProofAsking
from src.stages.theorems import claim, claims_of, library_identity, stated, translation_question
from src.text.parsing import plain_prompt
from src.theorems.posed import MISTRANSLATED, Posed, is_for_exams


@dataclass(frozen=True)
class Translate(Stage):
    """The model of the input "prover" reads the words of each of the `statements` and states it formally; what it makes
    is the table `statements` again. Left out are answers that are no formula, statements made twice, and those that an
    exam asks. The summary tells how many say what was meant, as far as it was the same formula.

    held_out: a library that an exam asks, as in `theorems`.
    shape, expected_tokens: for a plan: how big the model is, and how much it will write.
    """

    kind: ClassVar[str] = "translate"
    version: ClassVar[int] = 3
    heavy: ClassVar[bool] = True

    checker: Checker
    engine: Generator
    temperature: float = 0.0
    max_tokens: int = 200
    data_seed: int = 0
    held_out: str | None = field(default=None, metadata=not_in_key("its content is in identity()"))
    shape: Shape | None = field(
        default=None, metadata=not_in_key("how big the model is, for a plan: its name says which it is")
    )
    expected_tokens: float | None = field(
        default=None, metadata=not_in_key("a guess at rows that are not there yet, for a plan")
    )

    def __post_init__(self) -> None:
        at_least(self, 1, "max_tokens")
        at_least(self, 0, "temperature")

    def rows_at_most(self, inputs: Mapping[str, Upstream]) -> int | None:
        return inputs["statements"].rows

    def expecting(self, inputs: Mapping[str, Upstream]) -> Stage:
        rows = inputs["statements"].rows
        if self.expected_tokens is not None or rows is None:
            return self
        return replace(self, expected_tokens=float(rows * self.max_tokens))

    def estimate(self) -> dict[str, float]:
        """As if every statement were as long as it may be."""
        known = self.expected_tokens
        return {} if known is None else writing_cost(known, self.shape, self.engine.devices)

    @property
    def uncounted(self) -> str:
        return "" if self.estimate() else "as many texts as there are statements"

    def identity(self) -> dict[str, str]:
        return library_identity(self.held_out)

    def run(self, ctx: StageContext) -> None:
        rows = list(ctx.inputs["statements"].table("statements", Posed))
        ctx.tally.enter(len(rows))
        with_words = [row for row in rows if row.text]
        ctx.tally.reject("no words", len(rows) - len(with_words))
        with ProofAsking(ctx, self.engine, self.checker) as asking:
            answers = asking.answers([self._request(row) for row in with_words])
            ctx.summary["completion_tokens"] = asking.tokens
        pairs = zip(with_words, (answer.text for answer in answers), strict=True)
        made = list(self._usable(ctx, pairs))
        told = {"found": len(made), "planted": len(with_words), "hits": sum(not row.fault for row in made)}
        ctx.summary |= {f"as_meant/{name}": count for name, count in told.items()}
        ctx.tally.keep(write_table(ctx.out / "statements", Posed, made))

    def _usable(self, ctx: StageContext, pairs: Iterable[tuple[Posed, str]]) -> Iterator[Posed]:
        asked, there = claims_of(self.held_out), set[str]()
        for row, text in pairs:
            made = self._translated(row, text)
            if made is None:
                ctx.tally.reject("no statement in the answer")
            elif claim(made) in there:
                ctx.tally.reject("stated before")
            elif claim(made) in asked or (not row.name and is_for_exams(made.statement)):
                ctx.tally.reject("asked in the exam")
            else:
                there.add(claim(made))
                yield made

    def _translated(self, row: Posed, text: str) -> Posed | None:
        """A statement of its own, even where a library stated the problem: nothing that a model wrote is trusted as
        the source text of a library is."""
        found = self.checker.read(self.checker.proof_in(text).strip())
        if found is None:
            return None
        hypotheses = list(found.hypotheses)
        made = replace(row, variables=found.variables, hypotheses=hypotheses, conclusion=found.conclusion)
        made = replace(made, name="", header="", context="", keyword="")
        same = stated(self.checker, made) == stated(self.checker, row)
        if not same or row.name:
            made = replace(made, proof=None, negation=None)
        id = content_id("translated", row.id, found.variables, *hypotheses, found.conclusion)
        return replace(made, id=id, fault=row.fault if same else MISTRANSLATED)

    def _request(self, row: Posed) -> Request:
        id = content_id("translate", row.id)
        sampling = Sampling(self.temperature, max_tokens=self.max_tokens, stop=self.checker.stop)
        return Request(
            id, plain_prompt(translation_question(self.checker, row)), seed_from(self.data_seed, id), sampling
        )

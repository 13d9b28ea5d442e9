"""Answers checked by programs and by votes, for the stage `clean`; each check is written down when done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from src.cleaning.corpus import OpenRows
from src.cleaning.programs import OTHER_ANSWER, Program, Run, answers, program_of, run_all
from src.cleaning.verification import (
    OUTVOTED,
    PROGRAM,
    TWIN,
    TWIN_DISAGREES,
    UNCHECKED,
    VOTES,
    WRONG,
    Verification,
    Votes,
)
from src.core.journal import Journal
from src.core.records import Generation, Prompt, content_id, seed_from
from src.core.stage import StageContext
from src.core.store import write_json
from src.evaluation.program_pool import ProgramPool
from src.generation.base import Request
from src.generation.budget import dollars
from src.stages.asking import Ask, Asking
from src.text.answers import extract_answer


def verify(ctx: StageContext, how: Verification, rows: OpenRows, workers: int) -> None:
    """Set verdicts, and refuse what is wrong where the options say so."""
    if how.programs != "skip":
        _Programs(ctx, how, rows).check(workers)
    if how.votes:
        _vote(ctx, how, how.votes, rows)


def _settle(how: Verification, rows: OpenRows, row: int, wrong: str | None, right: str) -> None:
    if wrong is None:
        rows.say(row, right)
    elif how.wrong == "refuse":
        rows.refuse(row, wrong)
    else:
        rows.say(row, WRONG)


class _Programs:
    """Runs each program once, and holds the row itself and its natural-language twin to it."""

    def __init__(self, ctx: StageContext, how: Verification, rows: OpenRows):
        self.ctx, self.how, self.rows = ctx, how, rows
        twins = rows.twins()
        stays = rows.stays
        self.first_of = {twin: first for first, twin in twins.items() if stays[first]}
        self.wanted = stays & rows.tool
        self.wanted[list(self.first_of)] = True
        self.said = self._answers_of_firsts()

    def check(self, workers: int) -> None:
        """Journalled by the row's id: what a killed try ran is not run again."""
        with Journal(self.ctx.work / "programs") as journal:
            rows = {self._id(row): row for row in np.flatnonzero(self.wanted).tolist()}
            for id, entry in journal.rows():
                if id in rows:
                    self._judge(rows[id], Run(**entry["run"]), entry["answer"], entry["own"])
            bar = self.ctx.progress("running programs", total=int(self.wanted.sum()), unit="programs")
            with bar, ProgramPool(self.how.programs, workers, self.how.program_seconds) as pool:
                for row, answer, run in self._runs(pool, self.wanted.copy()):
                    own = run.wrong is None and answer is not None and answers(run.printed, answer)
                    journal.append(self._id(row), {"run": run._asdict(), "answer": answer, "own": own})
                    self._judge(row, run, answer, own)
                    bar.advance()
        write_json(self.ctx.out / "programs.json", {"isolation": pool.isolation, "run": len(rows)} if rows else {})
        self.ctx.summary |= pool.warnings()

    def _id(self, row: int) -> str:
        return f"{int(self.rows.ids[row]):016x}"

    def _runs(self, pool: ProgramPool, wanted: np.ndarray) -> Iterator[tuple[int, str | None, Run]]:
        for numbers, table in self.rows.read(wanted, ["solution", "answer"]):
            programs, said = {}, {}
            for row, solution, answer in zip(numbers.tolist(), *(c.to_pylist() for c in table.columns), strict=True):
                programs[str(row)] = program_of(solution) or Program("raise SystemExit(1)", None)
                said[row] = answer
            for number, run in run_all(programs.items(), pool):
                yield int(number), said[int(number)], run

    def _judge(self, row: int, run: Run, answer: str | None, own: bool) -> None:
        self.wanted[row] = False
        wrong = run.wrong or (None if own or answer is None else OTHER_ANSWER)
        if self.rows.stays[row] and self.rows.tool[row]:
            _settle(self.how, self.rows, row, wrong, PROGRAM)
        first = self.first_of.get(row)
        if first is not None and run.wrong is None and (said := self.said.get(first)) is not None:
            agrees = answers(run.printed, said)
            _settle(self.how, self.rows, first, None if agrees else TWIN_DISAGREES, TWIN)

    def _answers_of_firsts(self) -> dict[int, str | None]:
        wanted = np.zeros(self.rows.count, bool)
        wanted[list(self.first_of.values())] = True
        found = self.rows.read(wanted, ["answer"])
        return {
            row: said for numbers, table in found for row, said in zip(numbers.tolist(), table["answer"].to_pylist())
        }


def _vote(ctx: StageContext, how: Verification, votes: Votes, rows: OpenRows) -> None:
    """Natural-language rows with an answer that no program has confirmed are solved again."""
    wanted = rows.stays & ~rows.tool & rows.unsaid()
    asking = Asking(ctx, votes.generator.name)
    total = int(wanted.sum()) * votes.samples
    asking.all(
        _asks(rows, wanted, votes), total=total, start=lambda: votes.generator.open(model=votes.model, cache=ctx.cache)
    )
    asking.settle(total, most_failed=1.0, tallied=False)  # a problem without votes stays, unchecked
    given: dict[str, list[str]] = {}
    tokens = np.zeros(2, int)  # of prompts, of texts
    for id, group in groupby(asking.answers(), lambda pair: pair[0].prompt_id):
        texts = list(group)
        given[id] = _answers_in(texts)
        tokens += [sum(prompt for _, prompt in texts), sum(text.tokens for text, _ in texts)]
    bill = dollars(votes.generator, int(tokens[0]), int(tokens[1]), asking.cached_tokens)
    if bill:
        ctx.summary |= {"calls": total, "prompt_tokens": int(tokens[0]), "completion_tokens": int(tokens[1])}
        ctx.summary["dollars"] = bill
    for numbers, table in rows.read(wanted, ["id", "answer"]):
        for row, id, answer in zip(numbers.tolist(), *(column.to_pylist() for column in table.columns), strict=True):
            verdict = votes.decide(answer, given.get(id, [])) if answer else UNCHECKED
            if verdict != UNCHECKED:
                _settle(how, rows, row, OUTVOTED if verdict == WRONG else None, VOTES)


def _answers_in(texts: Iterable[tuple[Generation, int]]) -> list[str]:
    found = (extract_answer(text.text, "math") for text, _ in texts)
    return [answer for answer in found if answer is not None]


def _asks(rows: OpenRows, wanted: np.ndarray, votes: Votes) -> Iterator[Ask]:
    for _, table in rows.read(wanted, ["id", "passage_id", "stage", "kind", "question", "solution"]):
        for row in table.to_pylist():
            prompt = Prompt(row["id"], row["passage_id"], row["stage"], row["kind"], row["question"])
            text = f"## Question\n{row['question']}\n\n## Solution\n"
            for sample in range(votes.samples):
                id = f"{row['id']}-{sample:04d}"  # so that the answers to one problem lie side by side
                context = {"stage": row["stage"], "kind": row["kind"], "passage": row["question"]}
                seed = seed_from(votes.data_seed, content_id("vote", id))
                yield prompt, Request(id, text, seed, votes.sampling, context)

"""Answers checked by programs and by votes, for the stage `clean`; each check is written down when done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
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
from src.core.records import Prompt, content_id, seed_from
from src.core.stage import StageContext
from src.core.store import write_json
from src.evaluation.program_pool import ProgramPool
from src.generation.base import Request
from src.generation.budget import dollars
from src.stages.asking import Ask, Asking
from src.stages.sorting import in_order
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
    tokens = np.zeros(2, int)  # of prompts, of texts
    for row, answer, given in _beside(_in_order_of_ids(ctx, rows, wanted), _given(asking, tokens)):
        verdict = votes.decide(answer, given) if answer else UNCHECKED
        if verdict != UNCHECKED:
            _settle(how, rows, row, OUTVOTED if verdict == WRONG else None, VOTES)
    bill = dollars(votes.generator, int(tokens[0]), int(tokens[1]), asking.cached_tokens)
    if bill:
        ctx.summary |= {"calls": total, "prompt_tokens": int(tokens[0]), "completion_tokens": int(tokens[1])}
        ctx.summary["dollars"] = bill


Said = tuple[str, int, str | None]  # a row's id, its number, its answer


def _in_order_of_ids(ctx: StageContext, rows: OpenRows, wanted: np.ndarray) -> Iterator[Said]:
    """Sorted on disk, as the texts are: neither is held in memory."""
    found = (
        (f"{id}-{row:012d}", {"id": id, "row": row, "answer": answer})
        for numbers, table in rows.read(wanted, ["id", "answer"])
        for row, id, answer in zip(numbers.tolist(), *(column.to_pylist() for column in table.columns), strict=True)
    )
    for _, said in in_order(found, ctx.work / "sorting_rows"):
        yield said["id"], said["row"], said["answer"]


def _given(asking: Asking, tokens: np.ndarray) -> Iterator[tuple[str, list[str]]]:
    """Each problem's id and the answers that it was given, by id; adds up the tokens of all texts."""
    for id, group in groupby(asking.answers(), lambda pair: pair[0].prompt_id):
        found = []
        for text, of_prompt in group:
            tokens += of_prompt, text.tokens
            found.append(extract_answer(text.text, "math"))
        yield id, [answer for answer in found if answer is not None]


def _beside(
    rows: Iterator[Said], given: Iterator[tuple[str, list[str]]]
) -> Iterator[tuple[int, str | None, list[str]]]:
    """Each row's number and answer with the answers that its problem was given: two streams in order of ids, of which
    one may lack some, and rows may share an id."""
    at, answers = "", list[str]()
    for id, row, answer in rows:
        while at < id and (found := next(given, None)) is not None:
            at, answers = found
        yield row, answer, answers if at == id else []
    deque(given, maxlen=0)  # to the end, for the bill


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

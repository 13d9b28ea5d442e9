"""The stages around formal statements, with the real checker and a prover that writes from a list."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from src.checking.rocq import Rocq
from src.core.records import BASE, Prediction, Problem, read_table, write_table
from src.core.stage import Artifact, StageContext, Upstream
from src.generation.base import Completion, Generator, Session
from src.stages.prove import ExamineProver, Prove
from src.stages.theorems import Consistent, Theorems, WellFormed, goal, sift
from src.stages.translate import Translate
from src.theorems.posed import CONTRADICTORY, ILL_FORMED, MISSING, WRONG, Posed, posed_problems

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("coqtop"), reason="Rocq is not installed: apt-get install coq"),
    pytest.mark.usefixtures("isolation"),
]
ROWS = posed_problems(60, seed=0, error_rate=0.6)


@dataclass(frozen=True)
class Scripted(Generator):
    """Knows the reference proofs; `known` is the share of formulas that it answers, from the second attempt on all."""

    proofs: dict[str, str]
    calls: list[str]

    @property
    def name(self) -> str:
        return "scripted"

    @contextmanager
    def open(self, model: Any, cache: Any) -> Iterator[Session]:
        yield _Session(self)


@dataclass
class _Session(Session):
    generator: Scripted

    def stream(self, requests):
        for request in requests:
            self.generator.calls.append(request.id)
            text = self.generator.proofs.get(request.prompt.strip(), "intros; exact I.")
            yield Completion(request.id, text, "stop", 9, 5)


def context(folder, **inputs):
    for name in ("out", "work", "cache"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return StageContext(folder / "out", folder / "work", {n: Artifact(p) for n, p in inputs.items()}, folder / "cache")


@pytest.fixture(scope="module")
def statements(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statements")
    write_table(folder / "statements", Posed, ROWS)
    return folder


@pytest.fixture(scope="module")
def filters(statements, tmp_path_factory):
    """What each filter of the checker makes of what the one before leaves."""
    ran, before = {}, statements
    for stage in (WellFormed(Rocq()), Consistent(Rocq())):
        ran[stage.kind] = ctx = context(tmp_path_factory.mktemp("filter"), statements=before)
        stage.run(ctx)
        ctx.tally.check()
        before = ctx.out
    return ran


@pytest.fixture(scope="module")
def filtered(filters):
    return filters["consistent"]


def test_each_filter_finds_what_was_planted_for_it_and_nothing_else(filters, filtered):
    for name, fault in (("well_formed", ILL_FORMED), ("consistent", CONTRADICTORY)):
        summary, planted = filters[name].summary, sum(row.fault == fault for row in ROWS)
        assert summary[f"{name}/hits"] == summary[f"{name}/planted"] == planted > 0
        assert summary[f"{name}/precision"] == summary[f"{name}/recall"] == 1.0
        rejected = [json.loads(line) for line in (filters[name].out / "rejected.jsonl").read_text().splitlines()]
        assert {row["fault"] for row in rejected} == {fault}
        assert all(row["reason"] for row in rejected)
    kept = {row.id for row in read_table(filtered.out / "statements", Posed)}
    assert kept == {row.id for row in ROWS if row.fault not in (ILL_FORMED, CONTRADICTORY)}


def test_a_filter_that_is_switched_off_still_counts_what_it_would_find(statements, tmp_path):
    for stage in (WellFormed(Rocq(), reject=False), Consistent(Rocq(), reject=False)):
        ctx = context(tmp_path / stage.kind, statements=statements)
        stage.run(ctx)
        ctx.tally.check()
        assert list(read_table(ctx.out / "statements", Posed)) == ROWS and not ctx.tally.rejected
        assert ctx.summary[f"{stage.kind}/recall"] == 1.0


def test_statements_are_proved_and_refuted_and_what_holds_is_kept(filtered, tmp_path):
    checker, calls = Rocq(), []
    known = {goal(checker, row, False): row.proof for row in ROWS if row.proof}
    known |= {goal(checker, row, True): row.negation for row in ROWS if row.negation}
    stage = Prove(checker, Scripted(known, calls), attempts=2)
    ctx = context(tmp_path, statements=filtered.out, prover=tmp_path)
    stage.run(ctx)
    ctx.tally.check()
    proofs = {row.prompt_id: row for row in read_table(ctx.out / "problems", Problem)}
    kept = {row.id: row for row in read_table(filtered.out / "statements", Posed)}
    assert {id for id, row in proofs.items() if row.answer == "proved"} == {i for i, r in kept.items() if r.proof}
    assert {id for id, row in proofs.items() if row.answer == "refuted"} == {i for i, r in kept.items() if r.negation}
    assert ctx.summary["refuted/precision"] == 1.0
    assert ctx.summary["completion_tokens"] == 5 * len(calls)
    settled, n = len(proofs), len(kept)
    assert len(calls) == 2 * n + 2 * (n - settled)  # both sides, and the search ends at the first proof

    again, more = context(tmp_path / "again", statements=filtered.out, prover=tmp_path, earlier_1=ctx.out), []
    replace(stage, engine=Scripted(known, more), round=2).run(again)
    again.tally.check()
    assert again.tally.rejected["settled in an earlier round"] == settled
    assert len(more) == 4 * (n - settled)


def test_a_plan_tells_what_the_prover_writes_at_most():
    checker, engine = Rocq(), Scripted({}, [])
    statements = {"statements": Upstream(Theorems(checker, n=10), 10)}
    both = Prove(checker, engine, attempts=4, max_tokens=64)
    assert both.uncounted and not both.estimate()
    assert both.expecting(statements).estimate() == {"tokens": 10 * 2 * 4 * 64}
    one = replace(both, negations=False).expecting(statements)
    assert one.estimate() == {"tokens": 10 * 4 * 64} and not one.uncounted
    asked = Translate(checker, engine, max_tokens=200).expecting(statements)
    assert asked.estimate() == {"tokens": 10 * 200} and not asked.uncounted


def test_a_killed_search_asks_nothing_twice(filtered, tmp_path):
    calls = []
    stage = Prove(Rocq(), Scripted({}, calls), attempts=1, negations=False)
    ctx = context(tmp_path, statements=filtered.out, prover=tmp_path)
    stage.run(ctx)
    asked = len(calls)
    stage.run(context(tmp_path, statements=filtered.out, prover=tmp_path))  # the journal is in its work folder
    assert len(calls) == asked > 0


def test_exams_tell_how_many_held_out_statements_are_proved(tmp_path):
    checker = Rocq()
    seen = posed_problems(6, 0, part="exam")
    known = {goal(checker, row, False): row.proof for row in seen[:3]}
    ctx = context(tmp_path, pretrain=tmp_path)
    ExamineProver(checker, Scripted(known, []), n=6, samples=2).run(ctx)
    ctx.tally.check()
    first = context(tmp_path / "first", pretrain=tmp_path)
    ExamineProver(checker, Scripted({}, []), n=6, samples=2, label=BASE).run(first)
    assert ctx.summary["theorems/accuracy"] == 0.5 and ctx.summary["theorems_unseen/accuracy"] == 0.0
    rows = json.loads((ctx.out / "accuracy.json").read_text())
    assert next(row for row in rows if row["benchmark"] == "theorems" and row["group"] == "all")["pass@2"] == 0.5
    predictions = list(read_table(ctx.out / "predictions", Prediction))
    assert len(predictions) == 12 and all(len(p.samples) == 2 for p in predictions)
    assert all(row["mean_tokens"] == 5 and row["finished"] == 1 for row in rows)
    assert ctx.summary["completion_tokens"] == 24 * 5
    assert ctx.summary["theorems/cumulative"] == 0.5

    later = context(tmp_path / "later", pretrain=tmp_path, earlier_0=ctx.out, baseline=first.out)
    others = {goal(checker, row, False): row.proof for row in seen[2:5]}
    ExamineProver(checker, Scripted(others, []), n=6, samples=2).run(later)
    assert later.summary["theorems/accuracy"] == 0.5
    assert later.summary["theorems/base"] == 0.0  # what the model before the first round solved stands beside it
    assert later.summary["theorems/cumulative"] == 5 / 6  # the first three before, the third to the fifth now


def test_worked_problems_come_with_their_proofs(tmp_path):
    ctx = context(tmp_path)
    Theorems(Rocq(), n=40, error_rate=0.5).run(ctx)
    ctx.tally.check()
    proofs = list(read_table(ctx.out / "problems", Problem))
    assert {row.answer for row in proofs} == {"proved", "refuted"} and {row.kind for row in proofs} == {"plain"}
    later = context(tmp_path / "later")
    Theorems(Rocq(), n=40, after=40, error_rate=0.5).run(later)
    ids = [{row.id for row in read_table(c.out / "statements", Posed)} for c in (ctx, later)]
    assert not ids[0] & ids[1]


def test_faults_that_no_filter_sees_are_for_the_prover_to_refute():
    assert {WRONG, MISSING} <= {row.fault for row in ROWS}


def test_what_is_left_out_is_written_with_its_signs(statements, tmp_path):
    rows, ctx = list(ROWS)[:1], context(tmp_path, statements=statements)
    sift(ctx, Rocq(), rows, {rows[0].id: "unknown: ∀ x ∈ ℕ"})
    assert "∀ x ∈ ℕ" in (ctx.out / "rejected.jsonl").read_text(encoding="utf-8")

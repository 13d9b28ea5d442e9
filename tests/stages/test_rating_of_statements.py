"""The rating of formal statements, by scripted raters and by the offline teacher."""

import json
from dataclasses import dataclass

import pytest

from src.checking.lean import Lean
from src.checking.rocq import Rocq
from src.core.records import read_table, write_table
from src.core.stage import Artifact, StageContext
from src.generation.base import Completion, Generator, Sampling, Session
from src.generation.procedural.generator import ProceduralGenerator
from src.stages.theorems import RateStatements
from src.theorems.posed import TRIVIAL, Posed, posed_problems
from src.theorems.rating import StatementRating

ROWS = posed_problems(200, seed=0, error_rate=0.5)
SAMPLING = Sampling(max_tokens=50)


@dataclass(frozen=True)
class Judges(Generator):
    """What raters say in turn of each statement."""

    says: tuple[str, ...]

    @property
    def name(self):
        return "judges"

    def open(self, model, cache):
        return _Judges(self.says)


@dataclass
class _Judges(Session):
    says: tuple[str, ...]

    def stream(self, requests):
        for request in requests:
            yield Completion(request.id, self.says[int(request.id[-4:])], "stop", 10, 5)


def rated(folder, rows, teacher, **options):
    write_table(folder / "before" / "statements", Posed, rows)
    for name in ("out", "work", "cache"):
        (folder / name).mkdir(parents=True)
    inputs = {"statements": Artifact(folder / "before")}
    ctx = StageContext(folder / "out", folder / "work", inputs, folder / "cache")
    RateStatements(checker=Rocq(), teacher=teacher, sampling=SAMPLING, **options).run(ctx)
    ctx.tally.check()
    return ctx


def kept(ctx):
    return list(read_table(ctx.out / "statements", Posed))


def test_a_rater_without_error_finds_the_trivial_statements_and_no_other(tmp_path):
    ctx = rated(tmp_path, ROWS, ProceduralGenerator(slip_rate=0.0))
    planted = [row for row in ROWS if row.fault == TRIVIAL]
    assert len(planted) > 10 and kept(ctx) == [row for row in ROWS if row.fault != TRIVIAL]
    assert ctx.tally.rejected == {"rated below 0.5": len(planted)}
    assert ctx.summary["rating/precision"] == ctx.summary["rating/recall"] == 1.0
    told = [json.loads(line) for line in (ctx.out / "rejected.jsonl").read_text().splitlines()]
    assert [(row["id"], row["fault"]) for row in told] == [(row.id, TRIVIAL) for row in planted]
    assert len(list(read_table(ctx.out / "ratings", StatementRating))) == ctx.summary["calls"] == len(ROWS)


def test_of_raters_that_err_several_are_better_than_one(tmp_path):
    one, three = (
        rated(tmp_path / str(n), ROWS, ProceduralGenerator(slip_rate=0.2), raters=n, data_seed=1).summary
        for n in (1, 3)
    )
    for name in ("precision", "recall"):
        assert one[f"rating/{name}"] < 1
    assert one["rating/found"] - one["rating/hits"] > three["rating/found"] - three["rating/hits"]
    assert three["calls"] == 3 * one["calls"]


def test_what_is_switched_off_is_counted_and_stays(tmp_path):
    ctx = rated(tmp_path, ROWS, ProceduralGenerator(slip_rate=0.0), reject=False)
    assert kept(ctx) == ROWS and not ctx.tally.rejected and ctx.summary["rating/recall"] == 1.0


@pytest.mark.parametrize(
    ("says", "rejected"),
    [
        (("Grade: above average",), None),
        (("Grade: fair",), "rated below 0.5"),
        (("Grade: poor", "Grade: excellent"), None),
        (("Grade: poor", "I cannot tell."), "rated below 0.5"),
        (("Grade: good", "I cannot tell."), None),
        (("I cannot tell.",), "no rating that can be read"),
    ],
)
def test_the_mean_of_the_grades_that_can_be_read_decides(tmp_path, says, rejected):
    ctx = rated(tmp_path, ROWS[:1], Judges(says), raters=len(says))
    assert ctx.tally.rejected == ({rejected: 1} if rejected else {})
    assert len(kept(ctx)) == (0 if rejected else 1)


def test_what_calls_do_not_reach_is_not_judged(tmp_path):
    ctx = rated(tmp_path, ROWS[:5], Judges(("Grade: good",) * 2), raters=2, calls=7)
    assert kept(ctx) == ROWS[:3] and ctx.summary["calls"] == 6
    assert ctx.tally.rejected == {"not asked about: `calls` are used up": 2}


def test_the_offline_teacher_is_not_asked_about_lean(tmp_path):
    checker = Lean(project=str(tmp_path))
    RateStatements(checker=checker, teacher=Judges(()), sampling=SAMPLING)
    with pytest.raises(ValueError, match="reads rocq alone: choose another, or set rating=null"):
        RateStatements(checker=checker, teacher=ProceduralGenerator(), sampling=SAMPLING)

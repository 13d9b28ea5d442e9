"""The stage `puzzles`: what it writes is right, whole, checked against every exam, and the same each time."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from src.cleaning.gate import gate
from src.core.errors import UserError
from src.core.records import Problem, read_table
from src.core.stage import StageContext
from src.evaluation.benchmark import ReasoningGym
from src.evaluation.puzzles import PuzzleBenchmark
from src.puzzles.chains import check_chain, gold_puzzle
from src.puzzles.space import PuzzleSpace
from src.stages.puzzles import Puzzles
from src.text.parsing import format_pretraining

pytestmark = pytest.mark.slow

SPACE = PuzzleSpace(sizes=(3, 4), high=25)
EXAM = PuzzleBenchmark(space=SPACE, n=40)
COUNTDOWN = ReasoningGym(
    dataset="countdown", size=40, answer_type="chain", options={"min_numbers": 3, "max_numbers": 4}
)
STAGE = Puzzles(rows=6_000, space=SPACE, benchmarks={"exam": EXAM, "countdown": COUNTDOWN})


def made(stage, folder):
    for name in ("out", "work", "cache"):
        (folder / name).mkdir(parents=True)
    ctx = StageContext(folder / "out", folder / "work", {}, folder / "cache")
    stage.run(ctx)
    ctx.tally.check()
    return ctx, list(read_table(ctx.out / "problems", Problem))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return made(STAGE, tmp_path_factory.mktemp("whole"))


def numbers_of(problem):
    numbers, _, target = problem.question.partition(": ")
    return tuple(sorted(int(n) for n in numbers.split(", "))), int(target)


def test_every_row_is_a_solved_puzzle_and_none_comes_twice(whole):
    ctx, rows = whole
    assert len(rows) == ctx.tally.kept == 6_000
    assert len({row.id for row in rows}) == len({numbers_of(row) for row in rows}) == 6_000
    assert all(check_chain(*numbers_of(row), row.solution) is None for row in rows)
    assert Counter(row.stage for row in rows) == {"3 numbers": 3_000, "4 numbers": 3_000}
    assert format_pretraining(rows[0]) == (f"{rows[0].question}\n", rows[0].solution)


def test_no_exam_asks_what_is_taught_and_the_gate_knows_it(whole):
    ctx, rows = whole
    taught = {numbers_of(row) for row in rows}
    for benchmark in (EXAM, COUNTDOWN):
        asked = [gold_puzzle(question.gold) for question in benchmark.questions()]
        assert not taught & {(tuple(sorted(numbers)), target) for numbers, target in asked}
    assert gate({"corpus": ctx.out}, {"exam": EXAM, "countdown": COUNTDOWN}, "refuse") == {"unchecked_questions": 0}
    with pytest.raises(UserError, match="not checked against questions"):
        gate({"corpus": ctx.out}, {"other": replace(EXAM, seed=1)}, "refuse")


def test_a_countdown_puzzle_that_would_be_drawn_is_left_out(whole, tmp_path):
    """Leaving nothing out, some of what the benchmark asks is among the rows: the check is not idle."""
    asked = ReasoningGym(dataset="countdown", size=400, answer_type="chain", options={
        "min_numbers": 3, "max_numbers": 3, "min_value": 1, "max_value": 9, "min_target": 2, "max_target": 60
    })  # fmt: skip
    golds = {(tuple(sorted(n)), t) for n, t in (gold_puzzle(q.gold) for q in asked.questions())}
    stage = Puzzles(rows=2_000, space=PuzzleSpace(sizes=(3,), high=9, target_limit=60))
    _, free = made(stage, tmp_path / "free")
    ctx, checked = made(replace(stage, benchmarks={"asked": asked}), tmp_path / "checked")
    assert golds & {numbers_of(row) for row in free}
    assert not golds & {numbers_of(row) for row in checked}
    assert ctx.tally.rejected["asked by a benchmark"] > 0


def test_a_larger_share_holds_the_smaller_one(whole, tmp_path):
    _, rows = made(replace(STAGE, share=0.25), tmp_path)
    assert len(rows) == 1_500
    assert {row.id for row in rows} <= {row.id for row in whole[1]}


@pytest.mark.parametrize(
    ("rows", "share", "counts"), [(1_001, 1.0, [501, 500]), (1_001, 0.5, [250, 250]), (9, 0.3, [2, 1])]
)
def test_rows_that_are_no_multiple_of_the_sizes_are_all_there(tmp_path, rows, share, counts):
    stage = Puzzles(rows=rows, space=SPACE, share=share)
    _, found = made(stage, tmp_path)
    assert Counter(row.stage for row in found) == dict(zip(["3 numbers", "4 numbers"], counts))
    assert stage.rows_at_most({}) == len(found) == round(share * rows)


def test_a_curriculum_and_a_mixture_hold_the_same_rows(whole, tmp_path):
    _, rows = made(replace(STAGE, order="by_size"), tmp_path)
    assert {row.id for row in rows} == {row.id for row in whole[1]}
    assert all(a.stage <= b.stage for a, b in pairwise(rows))
    assert any(a.stage > b.stage for a, b in pairwise(whole[1]))


def test_backward_solutions_solve_the_same_puzzles(whole, tmp_path):
    _, rows = made(replace(STAGE, direction="backward"), tmp_path)
    assert [row.question for row in rows] == [row.question for row in whole[1]]
    assert not {row.id for row in rows} & {row.id for row in whole[1]}
    assert all(check_chain(*numbers_of(row), row.solution) is None for row in rows)
    assert all(row.solution.startswith(f"{row.answer}=") for row in rows)


def test_the_same_options_give_the_same_bytes(whole, tmp_path):
    made(STAGE, tmp_path)
    name = "problems/00000.parquet"
    assert (tmp_path / "out" / name).read_bytes() == (whole[0].out / name).read_bytes()


def test_more_than_there_are_is_refused_with_the_mend(tmp_path):
    with pytest.raises(UserError, match="nearly used up"):
        made(Puzzles(rows=50_000, space=PuzzleSpace(sizes=(2,), high=9)), tmp_path)

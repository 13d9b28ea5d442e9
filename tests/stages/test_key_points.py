"""The stages of key-point-driven synthesis, one by one, with a teacher that says what the test has it say."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from src.cleaning.consensus import Voting
from src.core import records
from src.core.errors import UserError
from src.core.records import Generation, Passage, Problem, Prompt, read_table
from src.core.stage import Artifact
from src.embedding.ngrams import NGramEmbedder
from src.evaluation.benchmark import FileBenchmark, ProceduralBenchmark
from src.generation.base import Completion, Generator, Sampling, Session
from src.keypoints.asking import write_labels, write_rating
from src.keypoints.records import Composition, KeyPointQuestion, Practice, Rating
from src.stages import asking as asking_module
from src.stages import questions as questions_module
from src.stages import sorting
from src.stages.answers import Answers
from src.stages.compositions import Compositions
from src.stages.consensus import Consensus
from src.stages.key_points import KeyPoints
from src.stages.questions import Questions
from src.stages.rating import RateQuestions
from src.stages.seeds import Seeds
from src.stages.topics import Topics
from src.text.parsing import parse_generation
from tests.stages.key_points import ADD, STORY, SUBTRACT, asked, labelled, practice, question, seeds
from tests.stages.writers import artifact, context, table_bytes

SAMPLING = Sampling(max_tokens=50)


@dataclass(frozen=True)
class Said(Generator):
    """Says what `say` makes of a request; None is an error of the server's."""

    say: Callable

    @property
    def name(self):
        return "said"

    def open(self, model, cache):
        return _Said(self.say)


class _Said(Session):
    def __init__(self, say):
        self.say = say

    def stream(self, requests):
        for request in requests:
            text = self.say(request)
            if text is None:
                yield Completion(request.id, "", "error", error="server error: 500")
            else:
                yield Completion(request.id, text, "length" if text.endswith("...") else "stop", 10, 5)


def options(say, **more):
    return {"teacher": Said(say), "sampling": SAMPLING, **more}


def rows(ctx, table, record):
    ctx.tally.check()
    return list(read_table(ctx.out / table, record))


def test_seeds_are_the_training_part_with_worked_solutions(tmp_path):
    lines = [{"q": "1 + 1?", "a": "2", "s": "So $2$.\n#### 2"}] * 2
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "test.jsonl").write_text(json.dumps({"q": "a secret", "a": "1", "s": "1"}) + "\n")
    fields = {"question": "q", "answer": "a"}
    paths = {"path": str(tmp_path / "test.jsonl"), "dev_path": str(tmp_path / "dev.jsonl")}
    mine, bare = FileBenchmark(**paths, fields={**fields, "solution": "s"}), FileBenchmark(**paths, fields=fields)
    ctx = context(tmp_path)
    Seeds({"mine": mine, "bare": bare}).run(ctx)
    (found,) = rows(ctx, "problems", Problem)
    assert (found.question, found.answer, found.generator) == ("1 + 1?", "2", "mine")
    assert ctx.tally.rejected == {"no worked solution": 2, "the same problem again": 1}
    (passage,) = rows(ctx, "passages", Passage)
    assert (passage.id, passage.text, passage.source) == (found.id, found.question, "mine")


def test_a_benchmark_without_a_training_part_is_refused_before_anything_runs():
    mine = FileBenchmark(path="test.jsonl", fields={"question": "q", "answer": "a"})
    with pytest.raises(UserError, match="no training or dev part"):
        Seeds({"mine": mine}).preflight()


def test_a_smaller_draw_of_seeds_is_part_of_a_larger_one(tmp_path):
    exam = {"seen": ProceduralBenchmark(split="seen", n=40)}
    few, many = context(tmp_path / "few"), context(tmp_path / "many")
    Seeds(exam, limit=10).run(few)
    Seeds(exam, limit=20).run(many)
    assert {p.id for p in rows(few, "problems", Problem)} < {p.id for p in rows(many, "problems", Problem)}
    assert few.tally.rejected == {"not drawn": 30}


def test_key_points_are_labelled_and_what_is_unreadable_is_told(tmp_path):
    said = {"Question 0?": write_labels({ADD: ["carrying"], STORY: ["money"]}), "Question 1?": "About circles."}
    ctx = context(tmp_path, seeds=seeds(tmp_path / "seeds", 4))
    stage = KeyPoints(**options(lambda request: said.get(request.context["question"], "Topic: ..."), calls=3))
    stage.run(ctx)
    assert [(p.problem_id, p.topic, p.key_points) for p in rows(ctx, "practices", Practice)] == [
        ("seed0", ADD, ["carrying"]),
        ("seed0", STORY, ["money"]),
    ]
    assert ctx.tally.rejected == {
        "no topic with key points": 1,
        "cut off at the token limit": 1,
        "not asked about: `calls` are used up": 1,
    }
    assert ctx.summary["calls"] == 3 and ctx.summary["topics_a_problem"] == 2


LABELLED = [
    practice("seed0", ADD, "carrying a ten", "column by column"),
    practice("seed0", STORY, "money"),
    practice("seed1", "Addition", "carrying a ten", "column by column"),
    practice("seed1", SUBTRACT, "borrowing from the left"),
    practice("seed2", ADD, "carrying a ten", *(f"carrying a ten {n}" for n in "abcdef")),
    practice("seed2", "Addition", "column by column"),
]


def topics(folder):
    ctx = context(folder, key_points=labelled(folder / "labels", LABELLED))
    Topics(NGramEmbedder(), threshold=0.45).run(ctx)
    return ctx


def test_topics_that_mean_the_same_are_merged_and_those_together_counted(tmp_path):
    ctx = topics(tmp_path)
    found = {(p.problem_id, p.topic): p.key_points for p in rows(ctx, "practices", Practice)}
    assert set(found) == {
        ("seed0", "Addition"), ("seed0", STORY), ("seed1", "Addition"), ("seed1", SUBTRACT), ("seed2", "Addition"),
    }  # fmt: skip
    assert found["seed2", "Addition"][:2] == ["carrying a ten", "carrying a ten a"]
    assert found["seed2", "Addition"][-1] == "column by column"
    (merged,) = map(json.loads, (ctx.out / "merged.jsonl").read_text().splitlines())
    assert (merged["topic"], merged["into"]) == (ADD, "Addition")
    told = json.loads((ctx.out / "topics.json").read_text())
    assert [(row["topic"], row["problems"], row["merged"]) for row in told] == [
        ("Addition", 3, [ADD]),
        (SUBTRACT, 1, []),
        (STORY, 1, []),
    ]
    one = np.log10(2)
    np.testing.assert_allclose(np.load(ctx.out / "cooccurrence.npy"), [[one, one, one], [one, 0, 0], [one, 0, 0]])
    assert ctx.tally.rejected == {"merged into another topic": 1}


def composed(folder, **more):
    ctx = context(folder, seeds=seeds(folder / "seeds"), topics=Artifact(topics(folder / "topics").out))
    Compositions(count=60, **more).run(ctx)
    return ctx


def test_compositions_show_a_practice_of_each_topic(tmp_path):
    ctx = composed(tmp_path)
    prompts, compositions = rows(ctx, "prompts", Prompt), rows(ctx, "compositions", Composition)
    assert [prompt.id for prompt in prompts] == [each.id for each in compositions]
    assert len({prompt.id for prompt in prompts}) == 60
    together = {tuple(sorted(set(each.topics))) for each in compositions}
    assert ("Addition", STORY) in together and (SUBTRACT, STORY) not in together  # no problem has both of these
    practices = {p.id: p for p in read_table(ctx.inputs["topics"].path / "practices", Practice)}
    for prompt, each in zip(prompts, compositions, strict=True):
        shown = [practices[id] for id in each.practices]
        assert [p.topic for p in shown] == each.topics
        assert prompt.passage_id == shown[0].problem_id
        assert set(each.key_points) == {point for p in shown for point in p.key_points}
        assert all(point in prompt.text for point in each.key_points)
        assert all(f"Question {p.problem_id[-1]}?" in prompt.text for p in shown)


def test_no_practice_is_shown_twice(tmp_path):
    for each in rows(composed(tmp_path, topics=(3,)), "compositions", Composition):
        assert len(set(each.practices)) == len(each.practices) == len(each.topics)


def test_topics_at_random_go_together_whatever_the_problems_say(tmp_path):
    ctx = composed(tmp_path, draw="random")
    together = {tuple(sorted(set(each.topics))) for each in rows(ctx, "compositions", Composition)}
    assert (SUBTRACT, STORY) in together


def test_without_key_points_the_topics_are_selected(tmp_path):
    ctx = composed(tmp_path, with_key_points=False)
    for prompt, each in zip(rows(ctx, "prompts", Prompt), rows(ctx, "compositions", Composition), strict=True):
        assert each.selected == list(dict.fromkeys(each.topics)) and each.key_points
        assert not any(point in prompt.text for point in each.key_points)


def test_a_smaller_count_is_the_first_draws_of_a_larger_one(tmp_path):
    many = composed(tmp_path / "many")
    few = context(tmp_path / "few", **many.inputs)
    Compositions(count=7).run(few)
    assert rows(few, "compositions", Composition) == rows(many, "compositions", Composition)[:7]


def drawn(folder, n):
    prompts = (Prompt(f"p{i}", f"seed{i}", "grade_school", "cot", f"Write number {i}.") for i in range(n))
    artifact(folder, "prompts", Prompt, prompts)
    compositions = (Composition(f"p{i}", [ADD], [], ["x"], ["x"]) for i in range(n))
    return artifact(folder, "compositions", Composition, compositions)


def test_questions_are_read_and_each_stands_once(tmp_path):
    said = ["<Q> How many? </Q>", "<Q> how many </Q>", "How many?", "<Q> How ...", "<Q> Why? </Q>"]
    ctx = context(tmp_path, compositions=drawn(tmp_path / "drawn", 6))
    Questions(**options(lambda request: said[int(request.prompt[-2])], calls=5)).run(ctx)
    found = rows(ctx, "questions", KeyPointQuestion)
    assert {q.text.lower().rstrip("?") for q in found} == {"how many", "why"}
    assert [q.id for q in found] == sorted(q.id for q in found)
    assert all((q.topics, q.key_points) == ([ADD], ["x"]) for q in found)
    assert ctx.tally.rejected == {
        "the same question again": 1,
        "no question between <Q> and </Q>": 1,
        "cut off at the token limit": 1,
        "not asked about: `calls` are used up": 1,
    }


def rated(folder, scores, raters=1, **more):
    """`scores`: by question and rater, what is said; a pair becomes a rating."""
    ctx = context(folder, questions=asked(folder / "asked", [question(n) for n in range(len(scores))]))

    def say(request):
        said = scores[int(request.id[1:4])][int(request.id[-4:])]
        return write_rating(*said) if isinstance(said, tuple) else said

    RateQuestions(**options(say, raters=raters, max_failed=1.0, **more)).run(ctx)
    return ctx


def test_the_lower_score_decides_and_what_cannot_be_read_goes(tmp_path):
    ctx = rated(tmp_path, [[(1, 0.9)], [(1, 0.84)], [(0.5, 1)], ["good"], [(0.85, 0.85)], ["The key points ..."]])
    assert [q.id for q in rows(ctx, "questions", KeyPointQuestion)] == ["q000", "q004"]
    unread = {"no rating that can be read": 1, "cut off at the token limit": 1}
    assert ctx.tally.rejected == {"rated below 0.85": 2, **unread}
    histogram = json.loads((ctx.out / "ratings.json").read_text())
    assert sum(histogram["questions"]) == 4 and len(histogram["edges"]) == 21


def test_several_raters_are_averaged_and_a_failed_one_costs_no_row(tmp_path):
    scores = [[(0.8, 1), (0.95, 1)], [(0.8, 1), (0.85, 1)], [(0.9, 1), None], [None, None]]
    ctx = rated(tmp_path, scores, raters=2)
    assert [q.id for q in rows(ctx, "questions", KeyPointQuestion)] == ["q000", "q002"]
    assert ctx.tally.rejected == {"rated below 0.85": 1, "no rating that can be read": 1}
    assert not ctx.tally.failed and ctx.summary["calls"] == 8
    assert len(rows(ctx, "ratings", Rating)) == 5


def test_calls_bound_the_ratings_of_all_raters_together(tmp_path):
    ctx = rated(tmp_path, [[(1, 1), (1, 1)]] * 5, raters=2, calls=7)
    assert len(rows(ctx, "questions", KeyPointQuestion)) == 3 and ctx.summary["calls"] == 6


def test_every_question_is_answered_often_with_the_practices_before_it(tmp_path):
    inputs = {
        "seeds": seeds(tmp_path / "seeds"),
        "topics": labelled(tmp_path / "topics", [practice("seed0", ADD, "carrying")]),
        "questions": asked(tmp_path / "asked", [question(n) for n in range(3)]),
    }
    prompts = {}

    def say(request):
        prompts[request.id] = (request.prompt, request.seed)
        return "So \\boxed{1}."

    ctx = context(tmp_path, **inputs)
    Answers(**options(say, samples=4, calls=11)).run(ctx)
    found = rows(ctx, "generations", Generation)
    assert [row.id for row in found] == [f"q{n:03d}-{k:04d}" for n in range(2) for k in range(4)]
    assert {row.prompt_id for row in found} == {"p0", "p1"}
    assert len({seed for _, seed in prompts.values()}) == 8
    assert all("Question 0?\nSolution: Solution 0." in prompt for prompt, _ in prompts.values())
    assert ctx.summary["questions_not_asked"] == 1 and ctx.tally.entered == 8


def agreed(folder, solutions, questions=None, **more):
    """`solutions`: of each question."""
    answers = [
        Generation(
            f"q{n:03d}-{k:04d}",
            f"p{n}",
            "seed0",
            "grade_school",
            "cot",
            text,
            "length" if text.endswith("...") else "stop",
            9,
            "said",
        )
        for n, of_one in enumerate(solutions)
        for k, text in enumerate(of_one)
    ]
    found = questions or [question(n) for n in range(len(solutions))]
    inputs = {
        "questions": asked(folder / "asked", found),
        "answers": artifact(folder, "generations", Generation, answers),
    }
    ctx = context(folder, **inputs)
    Consensus(**more).run(ctx)
    return ctx


def boxed(answer):
    return f"So the answer is $\\boxed{{{answer}}}$."


def test_solutions_that_agree_stay_as_problems_that_can_be_read(tmp_path):
    ctx = agreed(tmp_path, [[boxed(3), boxed(4), boxed("3.0"), "No idea.", "2 + 2 = 5. " + boxed(4), "It is ..."]])
    (row,) = rows(ctx, "generations", Generation)
    parsed = parse_generation(row.text, "cot")
    assert (parsed.question, parsed.answer) == ("How many are 0 and 1?", "3")
    assert row.id == "q000-0000" and row.prompt_id == "p0"
    assert ctx.tally.rejected == {
        "another solution of the same question stays": 1,
        "more solutions agree on another answer": 1,
        "no boxed answer": 1,
        "wrong arithmetic": 1,
        "cut off at the token limit": 1,
    }
    assert json.loads((ctx.out / "agreement.json").read_text()) == {"2": 1}


def test_all_solutions_that_agree_may_stay(tmp_path):
    ctx = agreed(tmp_path, [[boxed(3), boxed(4), boxed("3.0")], [boxed(1), boxed(2)]], each=None)
    assert [row.id for row in rows(ctx, "generations", Generation)] == ["q000-0000", "q000-0002"]
    assert ctx.tally.rejected == {"more solutions agree on another answer": 1, "no two solutions agree": 2}
    assert (ctx.summary["questions"], ctx.summary["questions_kept"]) == (2, 1)


def test_a_question_of_several_parts_is_compared_part_by_part(tmp_path):
    both = question(0, "(a) What is 1 + 1? (b) What is 2 + 2?")
    solutions = [[boxed(2) + boxed(4), boxed(2) + boxed(5), boxed(3) + boxed(6)]]
    ctx = agreed(tmp_path, solutions, [both], each=None)
    assert [row.id for row in rows(ctx, "generations", Generation)] == ["q000-0000", "q000-0001"]
    best = agreed(tmp_path / "best", [[*solutions[0], boxed(2) + boxed(4)]], [both])
    assert [row.id for row in rows(best, "generations", Generation)] == ["q000-0000"]


def test_a_question_of_too_many_parts_goes(tmp_path):
    four = question(0, "(a) What? (b) What? (c) What? (d) What?")
    ctx = agreed(tmp_path, [[boxed(1), boxed(1)]], [four])
    assert rows(ctx, "generations", Generation) == []
    assert ctx.tally.rejected == {"too many sub-questions": 2}


def test_without_voting_every_solution_that_can_be_read_stays(tmp_path):
    ctx = agreed(tmp_path, [[boxed(1), boxed(2), "No."]], voting=Voting("none"), each=None)
    assert len(rows(ctx, "generations", Generation)) == 2


def test_a_stage_that_was_killed_asks_only_for_the_rest_and_makes_the_same_rows(tmp_path):
    class KilledError(BaseException):
        pass

    asked_for = []

    def say(request, lifetime=None):
        if lifetime is not None and len(asked_for) >= lifetime:
            raise KilledError
        asked_for.append(request.id)
        return write_rating(0.9, 1)

    found = asked(tmp_path / "asked", [question(n) for n in range(6)])
    with pytest.raises(KilledError):
        RateQuestions(**options(lambda request: say(request, 4))).run(context(tmp_path, questions=found))
    again = context(tmp_path, 1, questions=found)
    RateQuestions(**options(say)).run(again)
    whole = context(tmp_path / "whole", questions=found)
    RateQuestions(**options(lambda request: write_rating(0.9, 1))).run(whole)
    assert len(asked_for) == len(set(asked_for)) == 6
    for table in ("questions", "ratings"):
        assert table_bytes(again.out / table) == table_bytes(whole.out / table)


def test_too_many_failures_stop_the_stage(tmp_path):
    ctx = context(tmp_path, questions=asked(tmp_path / "asked", [question(0)]))
    with pytest.raises(UserError, match="1 of 1 texts could not be had from said"):
        RateQuestions(**options(lambda request: None)).run(ctx)


@pytest.mark.parametrize(
    ("stage", "wrong"),
    [
        (KeyPoints, {"calls": 0}),
        (KeyPoints, {"max_failed": 2}),
        (RateQuestions, {"raters": 0}),
        (RateQuestions, {"least": 1.2}),
        (RateQuestions, {"calls": 2, "raters": 3}),
        (Answers, {"samples": 0}),
        (Answers, {"calls": 9}),
        (Answers, {"sampling": Sampling(temperature=0)}),
    ],
)
def test_options_are_checked(stage, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        stage(**options(None, **wrong))


def test_options_of_stages_without_a_teacher_are_checked():
    for make, wrong in (
        (lambda: Topics(NGramEmbedder(), threshold=0), "threshold"),
        (lambda: Compositions(count=1, topics=()), "topics"),
        (lambda: Compositions(count=1, draw="by_hand"), "draw"),
        (lambda: Seeds({}), "benchmarks"),
        (lambda: Consensus(each=0), "each"),
    ):
        with pytest.raises(ValueError, match=wrong):
            make()


def many_compositions(folder, n):
    Compositions(count=n).run(
        ctx := context(folder, seeds=seeds(folder / "seeds"), topics=Artifact(topics(folder / "topics").out))
    )
    return ctx


def many_questions(folder, n):
    ctx = context(folder, compositions=drawn(folder / "drawn", n))
    Questions(**options(lambda request: f"<Q> {request.prompt} {'of all ' * 60}</Q>")).run(ctx)
    return ctx


def many_ratings(folder, n):
    ctx = context(folder, questions=asked(folder / "asked", (question(i) for i in range(n))))
    RateQuestions(**options(lambda request: write_rating(1, 0.9))).run(ctx)
    return ctx


def many_solutions(folder, n):
    def answer(i):
        return Generation(f"q{i:03d}-0000", f"p{i}", "seed0", "grade_school", "cot", boxed(i), "stop", 9, "said")

    inputs = {
        "questions": asked(folder / "asked", (question(i, f"{i}, " + "of all " * 60) for i in range(n))),
        "answers": artifact(folder, "generations", Generation, map(answer, range(n))),
    }
    Consensus(voting=Voting("none")).run(ctx := context(folder, **inputs))
    return ctx


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "bytes_a_row"),
    [(many_compositions, 150), (many_questions, 600), (many_ratings, 150), (many_solutions, 150)],
)
def test_memory_holds_no_row_of_a_large_table(run, bytes_a_row, tmp_path, monkeypatch):
    """Digests, places and scores alone; most of these bytes are for sets and files that stop growing."""
    for module in (asking_module, questions_module):
        monkeypatch.setattr(module, "ROWS_IN_MEMORY", 100)
    monkeypatch.setattr(sorting, "FAN_IN", 4)  # an open file has a buffer
    monkeypatch.setattr(records, "BATCH_ROWS", 100)
    held = []
    for n in (20, 600, 1_600):  # the first run loads what all need
        tracemalloc.start()
        try:
            assert run(tmp_path / f"{len(held)}", n).tally.kept == n
            held.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert held[2] - held[1] < bytes_a_row * 1_000

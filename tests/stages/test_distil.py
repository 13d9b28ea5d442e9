import json
import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from src.core.errors import UserError
from src.core.records import Generation, Problem, Prompt, read_table
from src.generation.base import Completion, Generator, Session
from src.stages.distil import Distil
from tests.stages.writers import Killed, Scripted, artifact, context, prompts, table_bytes

SAMPLING = {"cot": {"temperature": 0.7}, "tool": {"temperature": 0.2}}


def distil(tmp_path, rows, name="a", try_=0, **options):
    scripted = {k: options.pop(k) for k in ("backwards", "lifetime", "heal") if k in options}
    stage = Distil(Scripted(tmp_path / name / "log", **scripted), **{"calls": 1000, "sampling": SAMPLING, **options})
    source = tmp_path / "prompts"
    ctx = context(tmp_path / name, try_, prompts=artifact(source, "prompts", Prompt, rows))
    stage.run(ctx)
    ctx.tally.check()
    return ctx


def asked(tmp_path, name="a"):
    lines = (tmp_path / name / "log").read_text().splitlines()
    return [line.split(maxsplit=3) for line in lines if not line.startswith("open")]


def test_every_call_is_kept_rejected_for_a_reason_or_failed(tmp_path):
    rows = [
        p
        for word, n in {"please": 10, "cut": 3, "chatter": 2, "boxless": 1, "fails": 1}.items()
        for p in prompts(n, word)
    ]
    ctx = distil(tmp_path, rows, max_failed=0.1)
    assert ctx.tally.as_dict() == {
        "in": 17,
        "kept": 10,
        "rejected": {"cut off at the token limit": 3, "no boxed answer": 1, "no problem or solution header": 2},
        "failed": {"server error": 1},
    }
    assert ctx.summary == {
        "calls": 17,
        "prompt_tokens": 160,
        "completion_tokens": 277,
        "dollars": 0.0,
        "dollars_per_kept": 0.0,
    }
    problems = list(read_table(ctx.out / "problems", Problem))
    assert len(problems) == 10
    assert {p.generator for p in problems} == {"scripted"}
    assert {p.round for p in problems} == {1}
    assert all(p.answer is not None and p.answer in p.solution for p in problems)
    letters = [json.loads(line) for line in (ctx.out / "dead_letter.jsonl").read_text().splitlines()]
    assert [(row["prompt_id"], row["error"]) for row in letters] == [("pfails0000", "server error: 500")]


def test_answers_may_be_missing_where_none_is_required(tmp_path):
    ctx = distil(tmp_path, prompts(1, "boxless"), require_answer=False)
    assert [p.answer for p in read_table(ctx.out / "problems", Problem)] == [None]


def test_the_bytes_do_not_depend_on_the_order_of_completion(tmp_path):
    one, two = distil(tmp_path, prompts(30), "a"), distil(tmp_path, prompts(30), "b", backwards=True)
    assert table_bytes(one.out / "problems") == table_bytes(two.out / "problems")


def test_a_killed_stage_goes_on_asks_nothing_twice_and_ends_the_same(tmp_path):
    whole = distil(tmp_path, prompts(30), "whole")
    for try_ in range(3):
        with pytest.raises(Killed):
            distil(tmp_path, prompts(30), "killed", try_, lifetime=7)
    last = distil(tmp_path, prompts(30), "killed", 3)
    assert table_bytes(last.out / "problems") == table_bytes(whole.out / "problems")
    assert last.summary == whole.summary
    ids = [line[0] for line in asked(tmp_path, "killed")]
    assert len(ids) == len(set(ids)) == 30


def test_too_many_failures_stop_the_stage_and_only_these_are_asked_again(tmp_path):
    rows = prompts(18) + prompts(2, "fails")
    with pytest.raises(UserError, match=r"2 of 20 texts could not be had from scripted: 2 x server error"):
        distil(tmp_path, rows)
    healed = distil(tmp_path, rows, try_=1, heal=True)
    assert healed.tally.as_dict()["kept"] == 20
    assert len(asked(tmp_path)) == 22
    assert not (healed.out / "dead_letter.jsonl").exists()


def test_a_draw_is_seeded_and_ranked_prompts_are_taken_in_order(tmp_path):
    def drawn(name, **options):
        return {
            p.prompt_id for p in read_table(distil(tmp_path, prompts(50), name, **options).out / "problems", Problem)
        }

    assert drawn("rank", calls=5, order="rank") == {f"pplease{i:04d}" for i in range(5)}
    five, ten, other = drawn("five", calls=5), drawn("ten", calls=10), drawn("other", calls=5, data_seed=1)
    assert len(five) == 5
    assert five < ten
    assert five != other


def test_sampling_follows_the_kind_and_seeds_the_prompt_and_the_round(tmp_path):
    rows = prompts(2) + prompts(2, "code", kind="tool")
    distil(tmp_path, rows, "one")
    distil(tmp_path, rows, "two", round=2)
    assert {(line[2], line[3].split()[-1]) for line in asked(tmp_path, "one")} == {("0.7", "please'"), ("0.2", "code'")}
    seeds = [line[1] for name in ("one", "two") for line in asked(tmp_path, name)]
    assert len(set(seeds)) == 8


def test_the_teacher_is_told_what_the_prompt_shows(tmp_path):
    told = {}

    class Listening(Scripted):
        def open(self, model, cache):
            session = super().open(model, cache)
            answer = session.answer
            session.answer = lambda request: told.update({request.prompt: dict(request.context)}) or answer(request)
            return session

    rows = artifact(tmp_path / "prompts", "prompts", Prompt, prompts(2))
    Distil(Listening(tmp_path / "log"), calls=2, sampling=SAMPLING).run(context(tmp_path / "a", prompts=rows))
    assert told["Passage 1, please"] == {"stage": "college", "kind": "cot", "passage": "Passage 1, please"}


def test_prompts_of_a_kind_without_sampling_are_named(tmp_path):
    with pytest.raises(UserError, match="prompts of kind tool, but sampling is given for cot only"):
        distil(tmp_path, prompts(1, kind="tool"), sampling={"cot": {}})


@dataclass(frozen=True)
class Costly(Scripted):
    """A dollar for 15 tokens of either kind."""

    def dollars(self, prompt_tokens, completion_tokens, cached_tokens=0):
        return (prompt_tokens + completion_tokens) / 15


def test_a_pilot_says_what_all_would_cost_and_the_run_pays_for_the_rest_only(tmp_path):
    rows = prompts(40) + prompts(40, "cut") + prompts(4, "fails")
    inputs = {"prompts": artifact(tmp_path / "prompts", "prompts", Prompt, rows)}
    teacher = Costly(tmp_path / "a" / "log")
    with pytest.raises(UserError) as quote:
        Distil(teacher, 80, SAMPLING, pilot=20).run(context(tmp_path / "a", **inputs))
    answered, failed, kept = (
        int(word) for word in re.findall(r"(\d+) (?:calls|failed|problems)", str(quote.value))[:3]
    )
    assert answered + failed == 20
    each = f"${2 * answered / kept:.4f} a kept problem"
    wanted = f"All 80 calls of round 1 would take about 2,400 tokens and cost $160.00, give or take $0.00, {each}"
    assert wanted in str(quote.value)
    ctx = context(tmp_path / "a", 1, **inputs)
    Distil(teacher, 80, SAMPLING, max_failed=0.1).run(ctx)
    ctx.tally.check()
    ids = [line[0] for line in asked(tmp_path)]
    assert len(ids) == 80 + failed
    assert len(set(ids)) == 80
    assert ctx.summary["dollars_per_kept"] == pytest.approx(ctx.summary["dollars"] / ctx.tally.kept)


def test_no_prompts_is_one_clear_message(tmp_path):
    with pytest.raises(UserError, match="no prompts for the teacher"):
        distil(tmp_path, [])


@pytest.mark.parametrize(
    "options",
    [
        {"calls": 0},
        {"pilot": 0},
        {"round": 0},
        {"order": "best"},
        {"max_failed": 2},
        {"sampling": {}},
        {"sampling": {"prose": {}}},
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Distil(**{"teacher": Scripted(tmp_path / "log"), "calls": 1, "sampling": SAMPLING, **options})


def test_a_share_of_the_calls_asks_about_the_best_and_costs_less(tmp_path):
    rows = prompts(8)
    distil(tmp_path, rows, calls=8, share=0.25, order="rank")
    assert [line[0] for line in asked(tmp_path)] == [line[0] for line in all_asked(tmp_path, rows)][:2]
    stage = Distil(Scripted(tmp_path / "log"), calls=8, sampling=SAMPLING, share=0.25)
    assert stage.estimate()["calls"] == 2


def all_asked(tmp_path, rows):
    distil(tmp_path, rows, "all", calls=8, order="rank")
    return asked(tmp_path, "all")


@dataclass(frozen=True)
class Writes(Generator):
    """Gives each prompt the text that follows its first line."""

    @property
    def name(self):
        return "writes"

    def open(self, model, cache):
        return _Writes()


class _Writes(Session):
    def stream(self, requests):
        for request in requests:
            yield Completion(request.id, request.prompt.split("\n", 1)[1], "stop", 1, 1)


def problem(question, solution):
    return f"[Problem]\n{question}\n\n[Solution]\n{solution}"


ASKED = "A farmer has 17 cows and buys 5 more cows at the market in town. How many cows has he?"
CODE = "```python\nprint({})\n```\n```output\n{}\n```\nThe answer is \\boxed{{{}}}."
TEXTS = {
    "kept": ("cot", problem("What is the sum of 12 and 30?", "12 + 30 = 42, so it is \\boxed{42}.")),
    "wrong arithmetic": ("cot", problem("What is the sum of 12 and 31?", "12 + 31 = 42, so it is \\boxed{42}.")),
    "refers to a missing figure": (
        "cot",
        problem("What is the area in the figure above?", "It is 4 * 3, \\boxed{12}."),
    ),
    "contaminated by exam": ("cot", problem(f"{ASKED} Say a number.", "17 + 5 = 22, so it is \\boxed{22}.")),
    "its program prints something else": (
        "tool",
        problem("What is the product of 6 and 7?", CODE.format("6 * 7", 41, 41)),
    ),
    "boxed answer is not what the program prints": (
        "tool",
        problem("What is the product of 6 and 8?", CODE.format("6 * 8", 48, 49)),
    ),
}


@pytest.mark.slow
def test_the_teachers_problems_pass_the_checks_of_the_corpus_before_anybody_learns_from_them(tmp_path):
    rows = [Prompt(f"p{n}", "x", "college", kind, f"-\n{text}") for n, (kind, text) in enumerate(TEXTS.values())]
    ctx = context(tmp_path, prompts=artifact(tmp_path / "prompts", "prompts", Prompt, rows))
    exam = SimpleNamespace(questions=lambda: [SimpleNamespace(id="q1", text=ASKED)])
    Distil(Writes(), calls=100, sampling=SAMPLING, benchmarks={"exam": exam}).run(ctx)
    ctx.tally.check()
    assert ctx.tally.rejected == {reason: 1 for reason in TEXTS if reason != "kept"}
    assert [p.prompt_id for p in read_table(ctx.out / "problems", Problem)] == ["p0"]
    assert [g.prompt_id for g in read_table(ctx.out / "generations", Generation)] == ["p0"]


def test_an_exam_question_in_a_teachers_solution_is_refused(tmp_path):
    solution = f"It is as in this task. {ASKED} Here 17 + 6 = 23, so it is \\boxed{{23}}."
    rows = [Prompt("p0", "x", "college", "cot", f"-\n{problem('What is the sum of 17 and 6?', solution)}")]
    ctx = context(tmp_path, prompts=artifact(tmp_path / "prompts", "prompts", Prompt, rows))
    exam = SimpleNamespace(questions=lambda: [SimpleNamespace(id="q1", text=ASKED)])
    Distil(Writes(), calls=1, sampling=SAMPLING, benchmarks={"exam": exam}).run(ctx)
    assert ctx.tally.rejected == {"contaminated by exam": 1} and not ctx.tally.kept


def test_checks_can_be_switched_off(tmp_path):
    rows = [Prompt(f"p{n}", "x", "college", kind, f"-\n{text}") for n, (kind, text) in enumerate(TEXTS.values())]
    ctx = context(tmp_path, prompts=artifact(tmp_path / "prompts", "prompts", Prompt, rows))
    Distil(Writes(), calls=100, sampling=SAMPLING, checks=None).run(ctx)
    assert ctx.tally.kept == len(TEXTS)


SLIP = problem("What is the sum of 12 and 31?", "12 + 31 = 42, so it is \\boxed{42}.")
CORRECTED = problem("What is the sum of 12 and 31?", "12 + 31 = 43, so it is \\boxed{43}.")
# What the teacher says to a finding; it corrects nothing else.
CORRECTIONS = {
    "wrong arithmetic: 12 + 31 = 42": CORRECTED,
    "refers to a missing figure": TEXTS["refers to a missing figure"][1],  # stubborn
    "its program prints something else: it printed '42'": problem(
        "What is the product of 6 and 7?", CODE.format("6 * 7", 42, 42)
    ),
}
FOUND = re.compile(r"A check of this answer found: (.*)")


@dataclass(frozen=True)
class Corrects(Scripted):
    """As `Writes`, and shown a finding it corrects what it can; it knows how to be killed and logs what it is asked."""

    def open(self, model, cache):
        session = super().open(model, cache)

        def answer(request):
            found = FOUND.search(request.prompt)
            if found and found[1] not in CORRECTIONS:
                return Completion(request.id, "", "error", error="server error: 500")
            text = CORRECTIONS[found[1]] if found else request.prompt.split("\n", 1)[1]
            return Completion(request.id, text, "stop", 10, 5)

        session.answer = answer
        return session


def corrected(tmp_path, name="a", try_=0, texts=None, **options):
    rows = [
        Prompt(f"p{n}", "x", "college", kind, f"-\n{text}") for n, (kind, text) in enumerate(texts or TEXTS.values())
    ]
    ctx = context(tmp_path / name, try_, prompts=artifact(tmp_path / name / "prompts", "prompts", Prompt, rows))
    exam = SimpleNamespace(questions=lambda: [SimpleNamespace(id="q1", text=ASKED)])
    teacher = Corrects(tmp_path / name / "log", lifetime=options.pop("lifetime", None))
    stage = Distil(teacher, 100, SAMPLING, benchmarks={"exam": exam}, critique=True, max_failed=0.5, **options)
    stage.run(ctx)
    ctx.tally.check()
    return ctx


@pytest.mark.slow
def test_a_teacher_that_is_shown_what_was_found_may_correct_it_once(tmp_path):
    ctx = corrected(tmp_path)
    assert ctx.tally.as_dict() == {
        "in": 6,
        "kept": 3,  # one was right, two were corrected
        "rejected": {
            "boxed answer is not what the program prints": 1,  # the correction failed: the finding stands
            "contaminated by exam": 1,
            "refers to a missing figure": 1,  # once only
        },
        "failed": {},
    }
    problems = {p.prompt_id: p.answer for p in read_table(ctx.out / "problems", Problem)}
    assert problems == {"p0": "42", "p1": "43", "p4": "42"}
    texts = {g.prompt_id: g.text for g in read_table(ctx.out / "generations", Generation)}
    assert texts["p1"] == CORRECTED and set(texts) == set(problems)
    assert ctx.summary["corrections_asked"] == 4  # an exam's question is not to be reworded
    assert ctx.summary["prompt_tokens"] == 10 * (6 + 3)
    assert json.loads((ctx.out / "dead_letter_corrections.jsonl").read_text())["prompt_id"] == "p5"
    asked_again = [line[3] for line in asked(tmp_path) if "A check of this answer" in line[3]]
    assert len(asked_again) == 4
    assert any(SLIP.partition("\n")[0] in text and "wrong arithmetic: 12 + 31 = 42" in text for text in asked_again)


def test_a_kill_between_and_within_corrections_pays_for_none_twice(tmp_path):
    texts = [("cot", SLIP.replace("sum", f"sum (no. {n})")) for n in range(6)]
    whole = corrected(tmp_path, "whole", texts=texts)
    assert whole.tally.kept == 6
    for try_, lifetime in enumerate((4, 2, 2)):
        with pytest.raises(Killed):
            corrected(tmp_path, "killed", try_, texts=texts, lifetime=lifetime)
    last = corrected(tmp_path, "killed", 3, texts=texts)
    assert table_bytes(last.out / "problems") == table_bytes(whole.out / "problems")
    assert last.summary == whole.summary
    ids = [line[0] for line in asked(tmp_path, "killed")]
    assert len(ids) == len(set(ids)) == 12


def test_without_the_option_nothing_is_asked_again(tmp_path):
    rows = [Prompt("p0", "x", "college", "cot", f"-\n{SLIP}")]
    ctx = context(tmp_path, prompts=artifact(tmp_path / "prompts", "prompts", Prompt, rows))
    stage = Distil(Corrects(tmp_path / "log"), 100, SAMPLING)
    stage.run(ctx)
    assert ctx.tally.rejected == {"wrong arithmetic": 1}
    assert "corrections_asked" not in ctx.summary and not stage.uncounted
    assert "a second call" in Distil(Corrects(tmp_path / "log"), 1, SAMPLING, critique=True).uncounted

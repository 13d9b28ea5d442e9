import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import UserError
from src.generation.base import Request
from src.generation.procedural.corner import problem_counts
from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.family import slice_of
from src.generation.procedural.generator import write
from src.generation.procedural.people import names
from src.generation.procedural.sets import held_out_problems, training_problems
from src.generation.procedural.size import Size
from src.generation.procedural.topics import FIELDS, field_of
from src.prompts.sets import STAGES

pytestmark = pytest.mark.slow

LAPTOP = Size(families=1, numbers=0.35)  # problems of conf/scale/laptop.yaml
UNSEEN = {f.name for f in FAMILIES if f.split == "unseen"}


def words(text: str) -> set[str]:
    return set(text.replace("'", " ").replace(".", " ").replace(",", " ").split())


def question_of(text: str) -> str:
    return text.split("[Problem]\n")[1].split("\n\n[Solution]")[0]


@pytest.mark.slow
def test_teacher_dev_and_held_out_never_meet():
    """The questions themselves, over thousands of draws: with names taken out, no two parts share one."""
    anonymous = {name: "X" for cast in ("training", "held_out") for name in names(cast)}

    def bare(question: str) -> str:
        return " ".join(anonymous.get(w, w) for w in question.replace("'s", "").split())

    contexts = [{"stage": s, "kind": "cot", "passage": ""} for s in STAGES]
    requests = (Request(id=f"r{i}", prompt="", seed=i, context=contexts[i % 8]) for i in range(8_000))
    taught = {bare(question_of(write(r))) for r in requests}
    sft = {bare(p.question) for p in training_problems(4_000, seed=3)}
    dev = {bare(p.question) for p in training_problems(1_500, seed=4, split="dev")}
    exam = {bare(p.question) for split in ("seen", "unseen") for p in held_out_problems(split, 400, seed=5)}
    assert len(taught & sft) > 10  # they do share a source, so that this test could fail
    assert not (taught | sft) & dev
    assert not (taught | sft | dev) & exam


def test_signatures_families_and_names_of_each_part():
    for problem in training_problems(1_000, seed=0):
        assert slice_of(problem.signature) == "train"
        assert problem.family not in UNSEEN and not words(problem.question) & names("held_out")
    for problem in training_problems(500, seed=0, split="dev"):
        assert slice_of(problem.signature) == "dev" and problem.family not in UNSEEN
    for split in ("seen", "unseen"):
        for problem in held_out_problems(split, 400, seed=0):
            assert slice_of(problem.signature) == "held_out"
            assert (problem.family in UNSEEN) == (split == "unseen")
            assert not words(problem.question + " " + problem.solution) & names("training")


@pytest.mark.parametrize("split", ["seen", "unseen"])
def test_held_out_problems_are_distinct_and_balanced(split):
    problems = held_out_problems(split, 480, seed=1)
    assert len({(p.family, p.signature) for p in problems}) == len({p.id for p in problems}) == 480
    assert set(Counter(p.stage for p in problems).values()) == {60}
    for stage in STAGES:
        shares = Counter(p.family for p in problems if p.stage == stage)
        assert len(shares) == len(families_of(stage, split))
        assert max(shares.values()) - min(shares.values()) <= 1


def test_fewer_problems_are_the_first_of_more():
    assert held_out_problems("seen", 50, seed=2) == held_out_problems("seen", 120, seed=2)[:50]
    assert held_out_problems("seen", 50, seed=2) != held_out_problems("seen", 50, seed=3)
    assert list(training_problems(30, seed=2)) == list(training_problems(90, seed=2))[:30]


def test_stages_and_kinds_can_be_chosen():
    problems = held_out_problems("seen", 40, seed=0, size=Size(stages=("grade_school", "aime")))
    assert Counter(p.stage for p in problems) == {"grade_school": 20, "aime": 20}
    assert all(p.solution.startswith("```python") for p in held_out_problems("unseen", 20, seed=0, kind="tool"))
    kinds = Counter(p.kind for p in training_problems(1_000, seed=0, tool_share=0.3))
    assert 240 < kinds["tool"] < 360


@pytest.mark.slow
def test_impossible_wishes_are_told_so():
    with pytest.raises(UserError, match="of 100000 held-out problems of split 'unseen'"):
        held_out_problems("unseen", 100_000, seed=0, size=Size(stages=("amc10",)))
    with pytest.raises(ValueError, match=r"grade_school, .* not kindergarten"):
        Size(stages=("kindergarten",))
    with pytest.raises(ValueError, match="not none"):
        Size(stages=())


def test_a_stage_that_holds_too_few_is_told_and_no_other_fills_up():
    with pytest.raises(UserError, match=r"education stage: .*aime \d+ of 500\.\n") as error:
        held_out_problems("seen", 4_000, seed=0, size=LAPTOP)
    short = dict(re.findall(r"(\w+) (\d+) of 500", error.value.problem))
    most = 8 * min(map(int, short.values()))
    assert "middle_school" in short and f"option n to {most}, or widen `problems`" in error.value.mend
    assert len(held_out_problems("seen", most, seed=0, size=LAPTOP)) == most


def test_a_set_without_a_family_is_told_so():
    nothing = Size(stages=("aime",), fields=("Calculus", "Linear Algebra"))
    for asked in (lambda: held_out_problems("seen", 8, 0, size=nothing), lambda: training_problems(8, 0, size=nothing)):
        with pytest.raises(UserError, match=r"'seen' is about Linear Algebra or Calculus on the stages aime\."):
            asked()


def draw(split, n, size):
    if split == "dev":
        return list(training_problems(n, 0, split="dev", size=size))
    return held_out_problems(split, n, 0, size=size)


@pytest.mark.parametrize(("split", "n"), [("seen", 400), ("unseen", 200), ("dev", 200), ("dev", 400)])
def test_the_laptops_sets_ask_each_stage_the_same(split, n):
    problems = draw(split, n, LAPTOP)
    assert Counter(p.stage for p in problems) == dict.fromkeys(STAGES, n // 8)
    assert len({(p.family, p.signature) for p in problems}) == n


@pytest.mark.parametrize(("split", "n"), [("seen", 400), ("unseen", 200), ("dev", 200)])
def test_an_exam_of_two_fields_asks_the_stages_that_have_them_the_same(split, n):
    size = Size(families=3, numbers=0.6, fields=("Number Theory", "Counting and Probability"))
    stages = ("grade_school", "aime") if split == "unseen" else ("college", "amc8", "amc10", "aime")
    assert Counter(p.stage for p in draw(split, n, size)) == dict.fromkeys(stages, n // len(stages))
    assert size.unasked("unseen" if split == "unseen" else "seen") == [s for s in STAGES if s not in stages]


SIZES = st.builds(
    Size,
    families=st.sampled_from([1, 2, 3, None]),
    numbers=st.sampled_from([0.01, 0.2, 0.35, 0.6, 1.0]),
    stages=st.none() | st.sets(st.sampled_from(STAGES), min_size=1).map(tuple),
    fields=st.none() | st.sets(st.sampled_from(FIELDS), min_size=1, max_size=4).map(tuple),
    questions=st.sampled_from([80, 400]),
)


@settings(max_examples=40)
@given(SIZES, st.sampled_from(["seen", "unseen", "dev"]), st.integers(1, 400))
def test_sets_of_any_size_are_balanced_or_say_what_is_short(size, split, n):
    """A set no larger than the exam that a size is made for is short only where a family has given all its numbers."""
    by_stage = size.asked_by_stage("unseen" if split == "unseen" else "seen")
    stages, asked = list(by_stage), [fam for families in by_stage.values() for fam in families]
    try:
        problems = draw(split, n, size)
    except UserError as error:
        found = re.findall(rf"({'|'.join(STAGES)}) (\d+) of (\d+)", error.problem)
        short = [(stage, int(has), int(part)) for stage, has, part in found]
        assert all(has < part <= n // len(stages) + 1 for _, has, part in short)
        assert {stage for stage, *_ in short} <= set(stages) and bool(short) == bool(stages)
        assert not short or n > size.questions or any(size.ranges(f) == f.numbers for f in asked)
    else:
        counts = [sum(p.stage == stage for p in problems) for stage in stages]
        assert sum(counts) == len({p.id for p in problems}) == n and max(counts) - min(counts) <= 1


@pytest.mark.parametrize("size", [LAPTOP, Size(3, 0.6, fields=("Number Theory", "Counting and Probability"))])
def test_a_corners_exam_dev_set_and_training_set_never_meet(size):
    told = {"train": list(training_problems(4_000, 1, size=size)), "dev": draw("dev", 200, size)}
    told["held_out"] = [p for split, n in (("seen", 400), ("unseen", 200)) for p in draw(split, n, size)]
    signatures = {part: {p.signature for p in problems} for part, problems in told.items()}
    assert {part: {slice_of(s) for s in found} for part, found in signatures.items()} == {p: {p} for p in told}


def test_training_tells_a_familys_problems_again_when_it_has_told_them_all():
    size = Size(families=1, numbers=0.35, stages=("middle_school",))
    (fam,) = size.taught("middle_school")
    count = problem_counts(fam, size.ranges(fam))["train"]
    problems = list(training_problems(2 * count, 0, size=size))
    first, again = ({p.signature for p in some} for some in (problems[:count], problems[count:]))
    assert first == again and len(first) == count >= 300
    assert len({p.question for p in problems}) > 1.5 * count


def test_training_takes_each_stage_in_turn():
    for size in (LAPTOP, Size(families=3, numbers=0.6)):
        assert set(Counter(p.stage for p in training_problems(800, 0, size=size)).values()) == {100}


def test_a_family_of_two_stages_asks_nothing_twice():
    shared = next(f for f in FAMILIES if len(f.stages) > 1)
    problems = [p for p in held_out_problems("seen", 900, seed=0) if p.family == shared.name]
    assert len({p.stage for p in problems}) == 2
    assert len({p.signature for p in problems}) == len(problems)


def test_sets_keep_to_the_fields_that_are_asked_for_and_the_teacher_to_none():
    size = Size(families=3, numbers=0.6, fields=("Counting and Probability", "Number Theory"))
    assert size.fields == ("Number Theory", "Counting and Probability")  # the topics' order: one choice, one key
    asked = {p.family for p in held_out_problems("seen", 400, seed=0, size=size)}
    assert asked == {p.family for p in training_problems(100, seed=0, split="dev", size=size)}
    taught = {family.name for stage in STAGES for family in size.taught(stage)}
    about = {family.name for stage in STAGES for family in size.taught(stage) if field_of(family) in size.fields}
    assert asked == about and len(about) * 3 <= len(taught)


def test_a_field_that_no_topic_has_is_named():
    with pytest.raises(ValueError, match=r"fields must name some of .*Number Theory.*, not Astrology"):
        Size(fields=("Number Theory", "Astrology"))
    with pytest.raises(ValueError, match="not none"):
        Size(fields=())

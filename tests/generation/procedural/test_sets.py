from collections import Counter

import pytest

from src.core.errors import UserError
from src.generation.base import Request
from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.family import slice_of
from src.generation.procedural.generator import write
from src.generation.procedural.people import names
from src.generation.procedural.sets import held_out_problems, training_problems
from src.generation.procedural.size import Size
from src.generation.procedural.topics import field_of
from src.prompts.sets import STAGES

UNSEEN = {f.name for f in FAMILIES if f.split == "unseen"}


def words(text: str) -> set[str]:
    return set(text.replace("'", " ").replace(".", " ").replace(",", " ").split())


def question_of(text: str) -> str:
    return text.split("[Problem]\n")[1].split("\n\n[Solution]")[0]


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


def test_impossible_wishes_are_told_so():
    with pytest.raises(UserError, match="of 100000 held-out problems of split 'unseen'"):
        held_out_problems("unseen", 100_000, seed=0, size=Size(stages=("grade_school",)))
    with pytest.raises(ValueError, match=r"grade_school, .* not kindergarten"):
        Size(stages=("kindergarten",))
    with pytest.raises(ValueError, match="not none"):
        Size(stages=())


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

"""Stories put together from parts: each is solved truly, told soundly, and met by nobody who did not ask for them."""

import re
from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from src.generation.procedural import composed
from src.generation.procedural.composed import things
from src.generation.procedural.composed.story import Part, told
from src.generation.procedural.families import FAMILIES
from src.generation.procedural.family import BrokenFamilyError, slice_of
from src.generation.procedural.language import decimal, dressed, latex, plural
from src.generation.procedural.sets import held_out_problems, training_problems
from src.generation.procedural.size import Size
from src.text.arithmetic import check_arithmetic
from src.text.boxed import boxed, last_boxed
from tests.generation.procedural.test_families import SLIPS

STORIES = [story for world in composed.worlds().values() for story in world]
PLAIN = Size(stages=("grade_school",))
COMPOSED = Size(stages=("grade_school",), composed=0.75)


def tell(story, rng, kind="cot", **options):
    instance = story.draw(rng, "train")
    return story.tell(instance, rng, stage="grade_school", kind=kind, cast="training", **options)


@pytest.mark.parametrize("world", composed.worlds())
def test_every_story_is_told_soundly_and_solved_truly(world):
    rng = Random(0)
    for story in composed.worlds()[world]:
        for _ in range(3):
            problem = tell(story, rng)
            assert last_boxed(problem.solution) == problem.answer
            assert len(list(boxed(problem.solution))) == 1
            assert check_arithmetic(problem.solution).wrong is None, problem.solution
            assert len(problem.question.split()) <= 80
            prose = re.sub(r"\\boxed\{([^{}]*)\}", r"\1", problem.solution)
            for text in (problem.question, prose):
                for slip, pattern in SLIPS.items():
                    assert not pattern.search(text.replace("...", "")), f"{slip}: {text}"


def test_every_program_prints_the_answer():
    rng = Random(1)
    for story in STORIES:
        problem = tell(story, rng, kind="tool")  # built only if the program prints the answer
        assert f"```output\n{problem.answer}\n```" in problem.solution


def test_a_slip_runs_through_the_last_step():
    for story in STORIES:
        right, wrong = (
            story.tell(
                story.draw(Random(3), "train"), Random(4), stage="grade_school", kind="cot", cast="training", wrong=w
            )
            for w in (False, True)
        )
        assert right.question == wrong.question
        assert Decimal(right.answer) != Decimal(wrong.answer)
        before, after = (told.solution.split("\n")[-2] for told in (right, wrong))
        assert before != after, story.name


def test_each_world_has_its_share_and_names_are_not_taken_twice():
    rng = Random(0)
    met = Counter(composed.pick(rng).name for _ in range(4_000))
    by_world = {
        world: sum(met[story.name] for story in stories) / 4_000 for world, stories in composed.worlds().items()
    }
    total = sum(composed.WEIGHTS.values())
    assert by_world == {w: pytest.approx(n / total, abs=0.03) for w, n in composed.WEIGHTS.items()}
    names = Counter(story.name for story in STORIES)
    assert [name for name, count in names.items() if count > 1] == []
    assert not names.keys() & {fam.name for fam in FAMILIES}


def test_many_wordings_and_few_questions_twice():
    rng = Random(0)
    questions = [tell(composed.pick(rng), rng).question for _ in range(2_000)]
    assert len(set(questions)) > 1_980
    words = {word for story in STORIES for choices in story.words.values() for word in choices}
    nouns = "|".join(rf"{re.escape(form)}\b" for word in sorted(words) for form in (plural(word), word))
    bare = {re.sub(rf"\$?\d[\d.]*\d|\d|\b[A-Z][a-z]+|\b(?:{nouns})", "_", question) for question in questions}
    assert len(bare) > 1_000  # all families of grade school have some sixty wordings


def test_a_set_holds_the_share_that_is_asked_for_and_none_by_default():
    stories = {story.name for story in STORIES}
    plain = list(training_problems(600, seed=0, size=PLAIN))
    assert not any(problem.family in stories for problem in plain)
    rows = list(training_problems(600, seed=0, size=COMPOSED))
    assert sum(problem.family in stories for problem in rows) / 600 == pytest.approx(0.75, abs=0.06)
    assert rows == list(training_problems(600, seed=0, size=COMPOSED))
    assert rows[:200] == list(training_problems(200, seed=0, size=COMPOSED))
    assert all(slice_of(problem.signature) == "train" for problem in rows)
    told_ids = [problem.id for problem in rows if problem.family in stories]
    assert len(set(told_ids)) == len(told_ids)


def test_no_exam_asks_them_and_no_other_stage_tells_them():
    stories = {story.name for story in STORIES}
    everywhere = Size(composed=1.0)
    assert not any(p.family in stories for p in held_out_problems("seen", 200, seed=0, size=everywhere))
    assert not any(p.family in stories for p in training_problems(80, seed=0, split="dev", size=everywhere))
    stages = {p.stage for p in training_problems(160, seed=0, size=everywhere) if p.family in stories}
    assert stages == {"grade_school"}


def test_stories_of_no_field_and_fields_are_refused_together():
    with pytest.raises(ValueError, match="set fields=null, or composed=0"):
        Size(composed=0.5, fields=("Geometry",))


def test_no_step_leaves_the_unit_of_its_answer_behind():
    """Where the closing sentence counts something, the last step counts the same."""
    rng = Random(5)
    for story in STORIES:
        *_, step, closing = tell(story, rng).solution.split("\n")
        if (unit := re.search(r"\\boxed\{[^{}]*\} ([a-z ]+)\.$", closing)) and not step.endswith(f"{unit[1]}."):
            assert re.search(r"= [\d.]+(?: each)?\.$| each\.$", step), f"{story.name}: {step} {closing}"


def test_what_comes_is_named_where_somebody_has_two_sorts():
    """ "Clara has 127 pencils and 12 bracelets. After that Clara added 7 more": of which?"""
    for change in things.changes():
        if change.name in ("gained", "gained_groups"):
            assert [wording for wording in change.wordings if "{item" not in wording] == []


def test_nobody_gives_what_a_story_has_counted_otherwise():
    """ "Leila has 6 times as many magazines as Maria, who has 21. Maria gave Leila as many as she had already": 126?"""
    giving = re.compile(r"\{friend\} (?:gave|brought|sent) \{name\}")
    counted = re.compile(r"\{friend\}[^.]* (?:has|got|found|collected)\b")
    told_things = [story for story in STORIES if story.name.startswith("things_")]
    both = [w for story in told_things for w in story.wordings if giving.search(w) and counted.search(w)]
    assert both == []


CONTRADICTIONS = {
    "whoever helps to pay changes no bill, of which the change is": r"towards it.*change",
    "the parts that were told are not of one length": r"(?:another|added|and then|Every day|lap).*did it in \{n",
    "one needs these, and that in all": r"needs (?:a board|\{\w+:ribbon\}).*needs \{goal",
    "nobody runs by bus": r"\bran\b.*by bus",
    "boards do not grow": r"board.*became longer",
    "one liter is": r"\b(?:are|were) \{x|\{x\d?:\{item\}\} (?:of it )?were",
}


@pytest.mark.parametrize("why", CONTRADICTIONS)
def test_no_part_contradicts_another(why):
    contradiction = re.compile(CONTRADICTIONS[why])
    assert [w for story in STORIES for w in story.wordings if contradiction.search(w)] == []


def test_words_fit_the_story():
    """No fence around a poster, no apples that are read, no "3 dozens eggs"."""
    assert plural("dozen") == "dozen"
    fenced = next(story for story in STORIES if story.name == "way_around")
    assert not {"poster", "room"} & set(fenced.words["place"])
    compared = next(family for family in FAMILIES if family.name == "how_many_more")
    assert "read" not in compared.words["did"]


@pytest.mark.parametrize("spec", ["+", "()", "th"])
def test_a_decimal_takes_no_other_format(spec):
    with pytest.raises(ValueError, match="a decimal takes no format"):
        format(dressed(decimal(45, 1)), spec)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_beyond_one_is_refused(share):
    with pytest.raises(ValueError, match=r"composed must lie in \[0, 1\]"):
        Size(composed=share)


def test_parts_stand_apart_though_their_names_are_the_same():
    one = {"numbers": {"a": range(2, 9)}, "check": lambda v: v.r - v.a == (v.q or 0)}
    begin = Part("has", ("{name} has {a}.",), lambda q, a: {"r": a}, program="q = {a}", **one)
    more = Part(
        "more", ("{a} come.",), lambda q, a: {"r": q + a}, steps=("{q} + {a} = {r}.",), program="q += {a}", **one
    )
    end = Part("all", ("How many?",), lambda q: {"r": q}, lambda v: v.r == v.q, closing="It is {r}.")
    story = told("test", [begin, more, more, end], "add")
    values = story.draw(Random(0), "train").values
    assert values["answer"] == values["a0"] + values["a1"] + values["a2"]
    problem = tell(story, Random(0), kind="tool")
    assert problem.solution.count("q += ") == 2


def test_a_part_that_contradicts_itself_is_told_by_its_story():
    begin = Part("has", ("{name} has {a}.",), lambda q, a: {"r": a}, lambda v: False, numbers={"a": range(2, 99)})
    end = Part("all", ("How many?",), lambda q: {"r": q}, lambda v: v.r == v.q, closing="It is {r}.")
    with pytest.raises(BrokenFamilyError, match="test_has_all"):
        told("test", [begin, end], "add").draw(Random(0), "train")


def test_decimals_are_told_as_numbers_and_as_money():
    assert [str(decimal(*n)) for n in ((450, 2), (400, 2), (45, 1), (10_000, 2), (5, 2))] == [
        "4.5",
        "4",
        "4.5",
        "100",
        "0.05",
    ]
    price = dressed(decimal(450, 2))
    assert (f"{price}", f"{price:$}", f"{price:mile}") == ("4.5", "$4.50", "4.5 miles")
    assert f"{dressed(decimal(400, 2)):$}" == "$4"
    assert f"{dressed(7):$}" == "$7"
    assert f"{dressed(decimal(10, 1)):mile}" == "1 mile"
    assert latex(decimal(450, 2)) == "4.5"


def test_extraneous_stories_name_a_number_that_no_step_needs():
    """But for one, told alike, whose question needs all: what is left out is never left out by habit."""
    without = set()
    for story in composed.worlds()["extraneous"]:
        values = story.draw(Random(0), "train").values
        needed = {name for step in story.steps for name in re.findall(r"\{(\w+)", step)}
        for wording in story.wordings:
            if not set(re.findall(r"\{(\w+)", wording)) & values.keys() - needed:
                without.add(story.name)
    assert without == {"more_left_of_one_sort"}

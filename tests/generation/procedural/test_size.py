import pytest

from src.generation.procedural.corner import corner, lower, problem_counts
from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.size import Size
from src.prompts.sets import STAGES


def named(name):
    return next(f for f in FAMILIES if f.name == name)


def test_the_whole_space_is_the_families_own_ranges():
    assert all(Size().ranges(fam) is fam.numbers for fam in FAMILIES)


def test_a_family_holds_its_part_of_the_exam():
    """A stage of eight is asked 50 of 400 questions; two families of a stage share them."""
    fam = named("unit_price")
    assert Size(families=1, numbers=0.35).ranges(fam) == corner(fam, 0.35, 50)
    assert Size(families=2, numbers=0.35).ranges(fam) == corner(fam, 0.35, 25)
    assert Size(families=1, numbers=0.35, questions=80).ranges(fam) == corner(fam, 0.35, 10)
    assert Size(families=1, numbers=0.35, stages=("middle_school", "aime")).ranges(fam) == corner(fam, 0.35, 200)


def test_a_family_of_two_stages_holds_the_part_of_both():
    fam = named("largest_groups")
    parts = [-(-400 // (8 * len(families_of(stage, "seen")))) for stage in fam.stages]
    assert Size(numbers=0.35).ranges(fam) == corner(fam, 0.35, sum(parts))


def test_fields_are_shared_by_fewer_families_and_leave_what_they_do_not_ask_as_it_was():
    size = Size(families=3, numbers=0.6, fields=("Number Theory", "Counting and Probability"))
    asked, unasked = named("power_modulo"), named("orthogonal_vectors")
    assert size.ranges(asked) == corner(asked, 0.6, 100)
    assert size.ranges(unasked) == Size(families=3, numbers=0.6).ranges(unasked) == lower(unasked, 0.6)


def test_a_stage_that_is_not_asked_can_still_be_taught():
    fam = families_of("grade_school", "seen")[0]
    assert Size(families=1, numbers=0.35, stages=("aime",)).ranges(fam) == corner(fam, 0.35, 50)
    beyond = families_of("grade_school", "seen")[5]
    assert Size(families=1, numbers=0.35).ranges(beyond) == corner(beyond, 0.35, 50)


@pytest.mark.parametrize("numbers", [0.01, 0.35])
def test_every_stage_of_a_small_corner_holds_hundreds_to_train_on_and_fifty_to_ask(numbers):
    size = Size(families=1, numbers=numbers)
    for stage in STAGES:
        (fam,) = size.taught(stage)
        counts = problem_counts(fam, size.ranges(fam))
        assert counts["train"] >= 300 and counts["dev"] >= 50 and counts["held_out"] >= 50


@pytest.mark.parametrize("numbers", [0, -0.5, 1.01])
def test_an_impossible_share_is_refused(numbers):
    with pytest.raises(ValueError, match=r"numbers must lie in \(0, 1\]"):
        Size(numbers=numbers)


def test_an_exam_without_questions_is_refused():
    with pytest.raises(ValueError, match="questions must be at least 1, not 0"):
        Size(questions=0)

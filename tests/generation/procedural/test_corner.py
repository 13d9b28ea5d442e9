"""How small a corner of a family may be: counted against every combination of its numbers."""

from itertools import product
from random import Random

import pytest

from src.generation.procedural.corner import TRAINED, corner, lower, problem_counts
from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.family import NoInstanceError, family, slice_of
from src.prompts.sets import STAGES

FIRST = [families_of(stage, split)[0] for stage in STAGES for split in ("seen", "unseen")]


def held(fam, ranges) -> dict[str, int]:
    """Distinct problems by part, counted without the code under test."""
    found = {"train": set(), "dev": set(), "held_out": set()}
    for drawn in product(*ranges.values()):
        numbers = dict(zip(ranges, drawn))
        if (values := fam.solve(**numbers)) is not None:
            signature = fam.signature({**numbers, **values})
            found[slice_of(signature)].add(signature)
    return {part: len(signatures) for part, signatures in found.items()}


def suffices(fam, counts, least: int) -> bool:
    taught = fam.split == "unseen" or (counts["train"] >= TRAINED * least and counts["dev"] >= least)
    return taught and counts["held_out"] >= least


def test_problems_are_counted_by_part():
    fam = families_of("middle_school", "seen")[0]
    assert problem_counts(fam, lower(fam, 0.35)) == held(fam, lower(fam, 0.35))


@pytest.mark.parametrize("fam", FIRST, ids=lambda fam: fam.name)
def test_a_corner_grows_until_it_holds_enough_and_no_further(fam):
    few, enough = lower(fam, 0.35), corner(fam, 0.35, 50)
    assert suffices(fam, held(fam, enough), 50)
    assert all(list(enough[name])[: len(few[name])] == list(few[name]) for name in few)
    used = [(len(enough[n]) / len(fam.numbers[n]), place, n) for place, n in enumerate(few) if enough[n] != few[n]]
    if used:
        *_, last = max(used)
        assert not suffices(fam, held(fam, {**enough, last: enough[last][:-1]}), 50)
    else:
        assert fam.name in ("find_and_give", "removed_number")


def test_a_corner_with_enough_problems_stays_as_it_is():
    fam = families_of("grade_school", "seen")[0]
    assert corner(fam, 0.35, 50) == lower(fam, 0.35)


def test_where_the_whole_family_holds_too_few_the_corner_is_the_whole():
    fam = families_of("amc10", "seen")[0]
    assert corner(fam, 0.35, 10**6) == corner(fam, 1.0, 1) == fam.numbers


def test_a_familys_instances_come_once_each_and_none_is_left_out():
    fam = families_of("amc10", "seen")[0]
    for part, count in problem_counts(fam, fam.numbers).items():
        orders = [[i.signature for i in fam.instances(Random(seed), part)] for seed in (0, 1)]
        assert len(orders[0]) == len(set(orders[0])) == count and {slice_of(s) for s in orders[0]} == {part}
        assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])


def test_ranges_without_an_instance_are_told():
    fam = families_of("grade_school", "unseen")[-1]
    with pytest.raises(NoInstanceError, match="no instance for held_out"):
        next(fam.instances(Random(0), "held_out", {"a": (6,), "b": (6,), "c": (2,)}))


def test_the_range_of_which_least_is_used_grows_first():
    @family(
        "grade_school",
        topics="",
        numbers={"a": range(1, 11), "b": range(1, 101)},
        wordings=("{a} and {b}?",),
        steps=("{a} + {b} = {answer}.",),
        closing="It is {answer}.",
        program="print({a} + {b})",
        check=lambda v: v.answer - v.a == v.b,
    )
    def both(a: int, b: int):
        return {"answer": a + b}

    assert [len(choices) for choices in lower(both, 0.1).values()] == [3, 10]
    grown = corner(both, 0.1, 4)
    assert len(grown["a"]) == 3 and 10 < len(grown["b"]) <= 30
    assert len(corner(both, 0.1, 40)["a"]) > 3


@pytest.mark.slow  # ten seconds in all
@pytest.mark.parametrize("fam", FAMILIES, ids=lambda fam: fam.name)
def test_every_family_can_be_its_stages_only_one_in_an_exam_of_400(fam):
    """Fifty problems, as many for dev, and six times as many to train on."""
    assert suffices(fam, problem_counts(fam, corner(fam, 0.01, 50)), 50)

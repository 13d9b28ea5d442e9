import re
from itertools import islice
from random import Random

import pytest

from src.generation.procedural import families, people, reading
from src.generation.procedural.reading import reading_problems, written
from src.generation.procedural.sets import held_out_problems, training_problems


@pytest.mark.parametrize("family", reading.FAMILIES, ids=lambda f: f.name)
def test_every_family_tells_problems_that_its_own_check_accepts(family):
    rng = Random(0)
    for kind in ("cot", "tool"):
        problem = family.tell(family.draw(rng, "train"), rng, stage="reading", kind=kind, cast="reading")
        assert f"\\boxed{{{problem.answer}}}" in problem.solution
        assert "{" not in problem.question.replace("\\frac{", "")


def test_reading_shares_no_family_wording_or_name_with_what_is_taught_and_examined():
    taught = {f.name for f in families.FAMILIES}
    assert not taught & {f.name for f in reading.FAMILIES}
    for other in ("training", "held_out"):
        assert not people.names("reading") & people.names(other)
    assert not _wordings(families.FAMILIES) & _wordings(reading.FAMILIES)


@pytest.mark.slow
def test_no_question_that_was_read_can_be_an_examination_question():
    """With every number and name masked, so that no other draw can make them equal either."""
    read = {_masked(problem.question) for problem, _ in reading_problems(5_000, seed=0)}
    asked = [p for split in ("seen", "unseen") for p in held_out_problems(split, 200, 0)]
    taught = islice(training_problems(500, 0), 500)
    assert len(read) > 500
    assert not read & {_masked(p.question) for p in [*asked, *taught]}


def test_the_same_seed_reads_the_same_rows():
    first, again = (list(reading_problems(50, seed=3, tool_share=0.5)) for _ in range(2))
    assert first == again != list(reading_problems(50, seed=4, tool_share=0.5))


@pytest.mark.parametrize(("a", "b"), [(768, 3657), (4999, 1), (120, 880), (5, 95)])
def test_columns_end_in_the_sum(a, b):
    work = written.column_sum(a, b)
    digits = ["1" if work.endswith("carry 1.") else ""]
    digits += [x or y for x, y in reversed(re.findall(r"write (\d)|= (\d+)\.$", work, re.MULTILINE))]
    assert "".join(digits) == str(a + b)


@pytest.mark.parametrize(("a", "b"), [(4896, 79), (1000, 1), (532, 478)])
def test_columns_end_in_the_difference(a, b):
    digits = re.findall(r"= (\d)\.$", written.column_difference(a, b), re.MULTILINE)
    assert int("".join(reversed(digits))) == a - b


def _wordings(found):
    return {re.sub(r"\{[^{}]*(\{[^{}]*\})?[^{}]*\}", "_", wording) for f in found for wording in f.wordings}


def _masked(question):
    for cast in ("training", "held_out", "reading"):
        for name in people.names(cast):
            question = re.sub(rf"\b{name}\b", "N", question)
    return re.sub(r"\d+", "0", question)

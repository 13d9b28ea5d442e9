"""Every family, a hundred times: the mathematics is checked when an instance is built, the language here."""

import re
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.family import BrokenFamilyError, Family, family, slice_of, spoiled
from src.generation.procedural.language import plural, polynomial
from src.generation.procedural.people import names
from src.prompts.sets import STAGES
from src.text.boxed import boxed, last_boxed

DRAWS = 100
pytestmark = pytest.mark.slow  # half a minute in all
each_family = pytest.mark.parametrize("fam", FAMILIES, ids=lambda f: f.name)

SLIPS = {
    "one of many": re.compile(r"(?<![\d./^-])\b1 (?!is\b|has\b|as\b)[a-z]+s\b"),
    "many of one": re.compile(
        r"(?<![/\d.])\b(?:[2-9]|[1-9]\d+) (?:apple|marble|dollar|page|day|week|friend|minute|hour)\b"
    ),
    "article": re.compile(r"\b[Aa] (8\d*|11|18)\b|\b[Aa] (?!and\b)[aeio]"),
    "double sign": re.compile(r"[+-] -|-- |\+ \+"),
    "bare sign": re.compile(r"\+\s*=|\+\s*\.(?!\.)"),
    "unit coefficient": re.compile(r"(?<![\d.])1[xyL]\b"),
    "unfilled": re.compile(r"[{}]|None|Word"),
    "blanks": re.compile(r"  | \.(?!\.)| ,|[^.]\.\.(?!\.)"),
}


def told(fam: Family, seed: int, kind: str = "cot", part: str = "train", wrong: bool = False):
    rng = Random(seed)
    cast = "held_out" if part == "held_out" else "training"
    return fam.tell(fam.draw(rng, part), rng, stage=fam.stages[0], kind=kind, cast=cast, wrong=wrong)


@each_family
def test_each_family_tells_its_problems_in_sound_english(fam):
    longest = 60 if fam.stages[0].endswith("school") else 90
    for seed in range(DRAWS):
        problem = told(fam, seed)
        assert last_boxed(problem.solution) == problem.answer
        assert len(list(boxed(problem.solution))) == 1
        assert problem.question[-1] in ".?"
        assert problem.question[0] == problem.question[0].upper()
        assert len(problem.question.split()) <= 50
        assert len(problem.solution.split()) <= longest, problem.solution
        prose = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", problem.solution)
        prose = re.sub(r"\\boxed\{([^{}]*)\}", r"\1", prose)
        for text in (problem.question, prose):
            for slip, pattern in SLIPS.items():
                assert not pattern.search(text), f"{slip}: {text}"


NUMBER = re.compile(r"\d+(?:\.\d+)?")
LEFT = re.compile(r"[-+*/^().\d ]+$")
INSIDE_A_TERM = re.compile(r" *([+*/^.)]|- )")
RIGHT = re.compile(r"[-+*/^().\d ]+")


def value(expression: str) -> Fraction | None:
    """The value of a stretch of arithmetic; None where it is but the numeric end of something with letters."""
    try:
        return eval(NUMBER.sub(r"Fraction('\g<0>')", expression).replace("^", "**"), {"Fraction": Fraction})
    except SyntaxError:
        return None


def equalities(text: str) -> list[tuple[str, str]]:
    """Both sides of each `=` that stands between two stretches of pure arithmetic."""
    found = []
    for line in re.split(r"[,;:]|\n|\.(?:\s|$)| and | so ", text):
        sides = line.split(" = ")
        for left, right in pairwise(sides):
            before, after = LEFT.search(left), RIGHT.match(right)
            if not before or not after or INSIDE_A_TERM.match(before[0]):
                continue
            if before[0][0] != " " and re.search(r"[\w'|]$", left[: before.start()]):
                continue
            if re.match(r"[a-zA-Z]", right[len(after[0].rstrip()) :]):
                continue
            found.append((before[0].strip(), after[0].strip()))
    return found


@each_family
def test_every_arithmetic_step_is_true(fam):
    checked = 0
    for seed in range(DRAWS):
        problem = told(fam, seed)
        steps = problem.solution.rsplit("\n", 1)[0]
        for left, right in equalities(steps):
            if (a := value(left)) is not None and (b := value(right)) is not None:
                assert a == (pytest.approx(b) if isinstance(a, float) else b), f"{left} = {right} in: {steps}"
                checked += 1
        plain = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", problem.answer)
        assert re.search(rf"(?<![\d/]){re.escape(plain)}(?![\d/])", steps.rsplit("\n", 1)[-1]), problem.solution
    assert checked >= DRAWS // 3 or fam.name == "difference_of_squares"  # which only lists factor pairs


@each_family
def test_each_program_prints_the_answer(fam):
    for seed in range(40):
        problem = told(fam, seed, kind="tool")  # built only if the program prints the answer
        assert problem.solution.startswith("```python\n")
        assert last_boxed(problem.solution) == problem.answer


def test_programs_print_the_same_on_their_own():
    """All programs in one fresh interpreter, with nothing of ours imported."""
    programs, outputs = [], []
    for fam in FAMILIES:
        for seed in (1, 2):
            solution = told(fam, seed, kind="tool").solution
            programs.append(re.search(r"```python\n(.*?)\n```", solution, re.S)[1])
            outputs.append(re.search(r"```output\n(.*?)\n```", solution, re.S)[1])
    script = "\nprint('---')\n".join(programs)
    ran = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip().split("\n---\n") == outputs


@each_family
def test_numbers_and_question_name_each_other(fam):
    """With names and wording fixed, different numbers ask different questions: else a held-out question could
    come again under another signature."""
    for wording in fam.wordings:
        single = Family(**{**vars(fam), "wordings": (wording,), "words": {k: v[:1] for k, v in fam.words.items()}})
        seen: dict[str, str] = {}
        for seed in range(DRAWS):
            instance = single.draw(Random(seed), ("train", "dev", "held_out")[seed % 3])
            problem = single.tell(instance, Random(0), stage=fam.stages[0], kind="cot", cast="training")
            assert seen.setdefault(problem.question, problem.signature) == problem.signature


@each_family
def test_each_family_has_hundreds_of_instances(fam):
    rng = Random(0)
    assert len({fam.draw(rng, "train").signature for _ in range(700)}) >= 200
    assert len({fam.draw(rng, "held_out").signature for _ in range(200)}) >= 30


def essence(problem) -> tuple[object, ...]:
    """What is left of a problem without order, signs, names and family: the numbers that its question and answer
    name, and those of each sum and product that its solution works out (8 - 5 = 3 is the sum of 3, 5 and 8)."""
    work = {
        ("product" if re.search(r"[*/^]", left + right) else "sum", *sorted(re.findall(r"\d+", f"{left} {right}")))
        for left, right in equalities(re.sub(r"\\boxed\{(.*?)\}", r"\1", problem.solution))
    }
    return (*sorted(re.findall(r"\d+", f"{problem.question} {problem.answer}")), *sorted(work))


def test_no_held_out_problem_is_a_training_problem_swapped_renamed_or_of_another_family():
    parts, families, questions = defaultdict(set), defaultdict(set), defaultdict(set)
    for fam in FAMILIES:
        for part in ("train", "dev", "held_out"):
            for seed in range(300):
                problem = told(fam, seed, part=part)
                parts[essence(problem)].add(part)
                families[essence(problem)].add(fam.name)
                questions[essence(problem), fam.name].add(tuple(re.findall(r"\d+", problem.question)))
    assert sum(len(names) > 1 for names in families.values()) > 100  # siblings met,
    assert sum(len(orders) > 1 for orders in questions.values()) > 100  # and mirror images, so that this test can fail
    assert {essence: met for essence, met in parts.items() if len(met) > 1} == {}


SUMS = ("join", "separate", "change_unknown", "start_unknown", "missing_part", "how_many_more", "so_many_more")
PRODUCTS = ("equal_groups", "so_much_each", "fair_share", "how_many_groups")


def signature(name: str, *numbers: int) -> str:
    fam = next(f for f in FAMILIES if f.name == name)
    values = dict(zip(fam.numbers, numbers, strict=True))
    return fam.signature({**values, **fam.solve(**values)})


@given(st.integers(3, 99), st.integers(3, 99), st.integers(2, 90))
def test_siblings_and_mirror_images_share_a_signature(a, b, c):
    total = a + b
    sums = [(a, b), (total, b), (a, b), (a, b), (total, a), (total, a), (b, a)]
    assert len({signature(name, *numbers) for name, numbers in zip(SUMS, sums)}) == 1
    assert signature("join", a, b) == signature("join", b, a) == signature("what_matters", total, c, b)
    assert len({signature(name, *numbers) for name in PRODUCTS for numbers in ((a, b), (b, a))}) == 1
    assert signature("pages_left", a, b, c) == signature("packs_and_loose", b, a, c)
    assert signature("find_and_give", a + c, b, c) == signature("off_and_on", a + c, c, b)


def test_there_are_enough_families_on_every_stage():
    assert len({f.name for f in FAMILIES}) == len(FAMILIES) >= 48
    for stage in STAGES:
        seen, unseen = families_of(stage, "seen"), families_of(stage, "unseen")
        assert len(seen) + len(unseen) >= 6
        assert 0.1 <= len(unseen) / (len(seen) + len(unseen)) <= 0.3
    assert {s for f in FAMILIES for s in f.stages} == set(STAGES)


def test_a_wrong_answer_is_wrong_in_the_box_and_in_the_steps():
    for fam in FAMILIES:
        right, wrong = told(fam, 5), told(fam, 5, wrong=True)
        assert right.question == wrong.question
        assert right.answer != wrong.answer == last_boxed(wrong.solution)


def test_a_check_that_disagrees_is_an_error_and_so_is_a_false_program():
    def twice(check, program):
        return family(
            "grade_school",
            topics="",
            numbers={"a": range(2, 99)},
            wordings=("Twice {a}?",),
            steps=("2 * {a} = {answer}.",),
            closing="It is {answer}.",
            program=program,
            check=check,
        )(lambda a: {"answer": 2 * a})

    with pytest.raises(BrokenFamilyError, match="check"):
        twice(lambda v: v.answer == v.a, "print({a})").draw(Random(0), "train")
    false_program = twice(lambda v: v.answer == v.a + v.a, "print({a})")
    with pytest.raises(BrokenFamilyError, match="printed"):
        told(false_program, 0, kind="tool")


@given(st.integers(), st.integers(min_value=0))
def test_a_spoiled_answer_is_never_the_answer(answer, seed):
    assert spoiled(answer, Random(seed)) != answer


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(-4, 4))
def test_polynomials_mean_what_they_say(coefficients, x):
    python = re.sub(r"(\d)x", r"\1*x", polynomial(*coefficients)).replace("^", "**")
    assert eval(python, {"x": x}) == sum(c * x**i for i, c in enumerate(reversed(coefficients)))


@given(st.integers(0, 2**80 - 1))
def test_slices_take_an_eighth_each(number):
    part = slice_of(f"{number:020x}")
    assert part == {0: "held_out", 1: "dev"}.get(number % 8, "train")


def test_plurals():
    nouns = ["apple", "box of pens", "red marble", "lily", "day", "brush", "person", "loaf", "foot", "fish"]
    assert [plural(n) for n in nouns] == [
        *("apples", "boxes of pens", "red marbles", "lilies", "days", "brushes", "people", "loaves", "feet", "fish")
    ]


def test_the_two_casts_share_no_name():
    assert not names("training") & names("held_out")

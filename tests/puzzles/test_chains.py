import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.evaluation.grading import Verdict, grade
from src.puzzles.chains import REASONS, chain_gold, check_chain, gold_puzzle, puzzle_text
from src.text.answers import extract_answer
from tests.puzzles.oracle import chains

NUMBERS, TARGET = [34, 18, 31, 41, 19, 55], -110
CHAIN = "31-34=-3, 19+41=60, 60/-3=-20, -20/18=-2, -2*55=-110"  # the paper's sample


def backward(chain):
    """The same steps from the target: `c=a?b` in the other order."""
    return ", ".join("=".join(reversed(step.split("="))) for step in reversed(chain.split(", ")))


def test_the_papers_sample():
    assert puzzle_text(NUMBERS, TARGET) == "34, 18, 31, 41, 19, 55: -110"
    assert check_chain(NUMBERS, TARGET, CHAIN) is None
    assert check_chain(NUMBERS, TARGET, backward(CHAIN)) is None
    assert check_chain(NUMBERS, TARGET, CHAIN, exact=True) == "equation"  # -20/18 leaves something over


def test_every_right_chain_is_accepted_and_every_other_refused():
    """10,000 cases against exhaustive search: all chains of small puzzles, most of which miss the target."""
    rng, seen = random.Random(0), Counter()
    while seen.total() < 10_000:
        numbers = tuple(rng.randint(-3, 9) for _ in range(rng.choice((2, 3, 3, 4))))
        exact = rng.random() < 0.3
        found = list(islice(chains(numbers, exact), 20_000))
        target = rng.choice(found)[1]
        for chain, value in rng.sample(found, min(len(found), 60)) + [f for f in found if f[1] == target][:60]:
            expected = None if value == target else "target"
            written = backward(chain) if rng.random() < 0.3 else chain
            assert check_chain(numbers, target, written, exact) == expected, (numbers, target, written)
            seen[expected] += 1
    assert seen[None] > 2_000 and seen["target"] > 2_000


@settings(max_examples=300)
@given(st.data())
def test_what_the_search_does_not_find_is_refused(data):
    """A right chain with one character changed is accepted only if it is another right chain."""
    numbers = tuple(data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=3)))
    right = list(chains(numbers))
    chain, target = data.draw(st.sampled_from(right))
    place = data.draw(st.integers(0, len(chain) - 1))
    changed = chain[:place] + data.draw(st.sampled_from("0123456789+-*/=, ")) + chain[place + 1 :]
    accepted = check_chain(numbers, target, changed) is None
    assert accepted == ((changed, target) in right)


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ("", "format"),
        ("2+3", "format"),
        ("2+3=5,5*4=20", "format"),
        ("2+3=5, 5*4=20.", "format"),
        (" 2+3=5, 5*4=20", "format"),
        ("2 + 3 = 5, 5 * 4 = 20", "format"),
        ("2+3=5, 5*4=20, ", "format"),
        ("2+3=5, 20=5*4", "format"),  # one forward, one backward
        ("02+3=5, 5*4=20", "format"),
        ("2+3=5, 5*4=+20", "format"),
        ("2+3=5, 5**4=20", "format"),
        ("2+3=5\n5*4=20", "format"),
        ("٢+3=5, 5*4=20", "format"),
        ("2+3=6, 6*4=24", "equation"),
        ("2/4=0, 3/0=0", "division by zero"),
        ("2+2=4, 4*4=16", "operand"),
        ("2+3=5, 5*5=25", "operand"),
        ("2+3=5", "unused"),
        ("2+3=5, 5-4=1", "target"),
        ("9" * 30 + "+3=5, 5*4=20", "format"),
    ],
)
def test_a_refusal_has_its_reason(chain, reason):
    assert check_chain([2, 3, 4], 20, chain) == reason
    assert reason in REASONS
    if chain:
        assert grade(chain_gold([2, 3, 4], 20), chain, "chain") == Verdict(False, reason)


def test_an_earlier_result_is_used_once():
    assert check_chain([3, 4], 49, "3+4=7, 7*7=49") == "operand"


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=8), st.integers(-999, 999), st.booleans())
def test_a_gold_answer_is_read_as_it_was_written(numbers, target, exact):
    assert gold_puzzle(chain_gold(numbers, target, exact)) == (numbers, target)


def test_an_answer_is_the_first_line_of_what_a_model_writes():
    written = "2+3=5, 5*4=20\n7, 8: 56\n7*8=56"
    assert extract_answer(written, "chain") == "2+3=5, 5*4=20"
    assert grade(chain_gold([4, 3, 2], 20), "2+3=5, 5*4=20", "chain") == Verdict(True, "number")

"""Programs, votes and what the checks find on problems whose truth is known."""

import pytest

from src.cleaning.programs import OTHER_ANSWER, answers, program_of, run_all, same_output
from src.cleaning.verification import UNCHECKED, VOTES, WRONG, Verification, Votes
from src.evaluation.program_pool import ProgramPool
from src.generation.base import Request
from src.generation.procedural.generator import ProceduralGenerator, write
from src.prompts.sets import STAGES
from src.text.boxed import last_boxed


def test_code_and_output_blocks_are_found():
    text = "First:\n```python\na = 1\n```\nthen\n```py\nprint(a)\n```\n```output\n1\n```\nSo \\boxed{1}."
    program = program_of(text)
    assert program.code == "a = 1\n\nprint(a)\n" and program.stated == "1\n"
    assert program_of("no code at all") is None
    assert program_of("```python\nprint(1)\n```").stated is None


@pytest.mark.parametrize(
    ("stated", "printed", "same"),
    [
        ("1 2\n", " 1  2", True),
        ("x = 0.30000000000000004", "x = 0.3", True),
        ("[1.0, 2.0]", "[1.0, 2.0000000001]", True),
        ("5", "6", False),
        ("x = 5", "y = 5", False),
        ("5", "5 6", False),
    ],
)
def test_outputs_are_compared_word_by_word(stated, printed, same):
    assert same_output(stated, printed) is same


@pytest.mark.parametrize(
    ("printed", "answer", "right"),
    [
        ("84", "84", True),
        ("The answer is 84", "84", True),
        ("1\n84\n", "84", True),
        ("3.3333333333333335", "3.33", True),
        ("3.3333333333333335", "3.34", False),
        ("sqrt(2)/2", "\\frac{\\sqrt{2}}{2}", True),
        ("1/2", "\\frac12", True),
        ("84", "85", False),
        ("", "85", False),
        ("[2, 3]", "2, 3", True),
        ("3 84", "3", False),
        ("3 84", "84", False),
        ("The answer is 84 apples", "84", True),
        ("x = 3, y = 84", "3", False),
        ("total: 84", "84", True),
        ("14.285714285714285", "14.29\\%", True),
        ("0.14285714285714285", "14.29\\%", True),
        ("33.333333333333336", "33.3 percent", True),
        ("14.31", "14.29\\%", False),
        ("0.144", "14.29\\%", False),
    ],
)
def test_the_box_holds_what_was_printed(printed, answer, right):
    assert answers(printed, answer) is right


def test_votes():
    votes = Votes(ProceduralGenerator(), samples=4)

    assert votes.decide("1/2", ["0.5", "\\frac{1}{2}", "3"]) == VOTES
    assert votes.decide("3", ["0.5", "1/2", "3"]) == WRONG
    assert votes.decide("3", ["1", "1", "3", "3"]) == UNCHECKED, "a draw"
    assert votes.decide("3", ["1", "2", "3"]) == UNCHECKED, "nobody has half of all samples"
    assert votes.decide("3", []) == UNCHECKED


@pytest.mark.parametrize("options", [{"wrong": "hide"}, {"program_seconds": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        Verification(**options)


@pytest.mark.parametrize("options", [{"samples": 0}, {"least": 0.0}, {"least": 1.5}])
def test_votes_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        Votes(ProceduralGenerator(), **options)


@pytest.mark.slow
def test_planted_errors_in_tool_solutions_are_all_found(isolation):
    """Half of the boxes disagree with the (true) output."""
    texts = {}
    for i in range(60):
        request = Request(f"r{i}", "", i, context={"stage": STAGES[i % 8], "kind": "tool"})
        texts[f"right-{i}"], texts[f"wrong-{i}"] = write(request, 0.0), write(request, 1.0)
    called = set()
    with ProgramPool(workers=1) as pool:
        for name, run in run_all(((name, program_of(text)) for name, text in texts.items()), pool):
            assert run.wrong is None
            if not answers(run.printed, last_boxed(texts[name])):
                called.add(name)
    found = sum(name.startswith("wrong") for name in called)
    print(f"programs, planted errors: precision {found / len(called):.3f}, recall {found / 60:.3f} ({OTHER_ANSWER})")
    assert found == len(called) == 60

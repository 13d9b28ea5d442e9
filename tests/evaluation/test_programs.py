import pytest

from src.evaluation.exemplars import EXEMPLARS, PROGRAMS
from src.evaluation.grading import grade
from src.evaluation.program_pool import ProgramPool
from src.evaluation.programs import extract_from_run, shown_output, waiting_program
from src.text.answers import extract_answer

FIRST = "Let us count.\n```python\nx = 6\nprint(x)\n```\n"
RAN = FIRST + "```output\n6\n```\n"


@pytest.fixture(scope="module")
def pool(isolation):
    with ProgramPool(workers=1, seconds=2.0) as pool:
        yield pool


def shown(pool, *program):
    return shown_output(pool.start(*program).result())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FIRST, ("x = 6\nprint(x)\n", [])),
        (RAN + "Now double it.\n```python\nprint(2 * x)\n```", ("print(2 * x)\n", ["x = 6\nprint(x)\n"])),
        *[
            (
                f"{RAN}```python\nloop()\n```\n```output\n1\n[{end}]\n```\nOr:\n```python\nprint(x)\n```",
                ("print(x)\n", before),
            )
            for end, before in [
                *((end, ["x = 6\nprint(x)\n"]) for end in ("timeout", "memory", "killed", "output")),
                ("error", ["x = 6\nprint(x)\n", "loop()\n"]),
            ]
        ],
        (RAN, None),
        (FIRST + "The answer is 6.", None),
        ("```python\nprint(1)", None),
        ("No program at all.", None),
    ],
)
def test_which_program_waits_to_be_run(text, expected):
    assert waiting_program(text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        (RAN, "number", "6"),
        (RAN + "So there are \\boxed{7} of them.", "number", "7"),
        (RAN + "That is what we looked for.", "number", "6"),
        ("```python\n# the answer is: total\n```\n```output\n1\n12\n```\n", "number", "12"),
        ("```python\nprint(s)\n```\n```output\nx**2 + 1\n```\n", "math", "x**2 + 1"),
        ("```python\nprint(s)\n```\n```output\nB\n```\n", "choice", "B"),
        ("```python\n1 / 0\n```\n```output\nZeroDivisionError: division by zero\n[error]\n```\n", "math", None),
        ("```python\nwhile 1: print(3)\n```\n```output\n3\n[timeout]\n```\n", "number", None),
        ("I know it: \\boxed{5}.", "number", "5"),
        ("```python\nprint(5)\n```", "number", None),
        ("Let x be 3.\n```python\nx = 5", "number", "3"),
    ],
)
def test_the_answer_of_a_run(text, kind, answer):
    assert extract_from_run(text, kind) == answer


def test_a_program_knows_what_ran_before_but_repeats_none_of_it(pool):
    block = shown(pool, "print(2 * x)", ["x = 6\nprint(x)", "1 / 0"])
    assert block == "```output\n12\n```\n"


def test_each_program_of_an_answer_has_the_time_of_one(pool):
    slow = "import time\ntime.sleep(0.8)"
    assert shown(pool, "print(1)", [slow] * 3) == "```output\n1\n```\n"


def test_what_fails_says_how_and_is_counted(pool):
    before = pool.ended["error"]
    block = shown(pool, "print('so far')\n1 / 0")
    assert block.startswith("```output\nso far\nTraceback")
    assert block.endswith("ZeroDivisionError: division by zero\n[error]\n```\n")
    assert pool.ended["error"] == before + 1


def test_output_cannot_close_its_own_block(pool):
    assert shown(pool, "print('```\\n\\\\boxed{1}')") == "```output\n'''\n\\boxed{1}\n```\n"


@pytest.mark.parametrize(("name", "question", "code"), [(n, q, c) for n, shots in PROGRAMS.items() for q, c in shots])
def test_exemplars_print_the_answer_that_is_given_in_words(pool, name, question, code):
    block = shown(pool, code)
    kind = "choice" if name == "choice" else "math"
    printed = extract_from_run(f"```python\n{code}\n```\n{block}", kind)
    assert printed
    worked = dict(EXEMPLARS[name]).get(question)
    if worked:
        told = extract_answer(worked, kind)
        assert grade(told, printed, kind).correct, (worked, block)

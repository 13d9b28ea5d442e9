from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.records import Generation
from src.text import parsing
from src.text.normalise import normalise
from src.text.parsing import (
    THOUGHT_MARKS,
    ParsedProblem,
    Rejection,
    format_pretraining,
    format_response,
    parse_generation,
    question_in,
    to_problem,
)

CODE = "```python\nprint(2 + 2)\n```\n```output\n4\n```\nIt is \\boxed{4}."


def parsed(text, kind="cot"):
    result = parse_generation(text, kind)
    assert isinstance(result, ParsedProblem), result
    return result


def test_the_form_that_is_asked_for_needs_no_repair():
    result = parsed("[Problem]\nWhat is 2 + 2?\n\n[Solution]\nAdd: \\boxed{4}.")
    assert result == ParsedProblem("What is 2 + 2?", "Add: \\boxed{4}.", "4", ())


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        ("What is 2 + 2?\n\n[Solution]\nAdd.", ("missing problem tag",)),
        ("[Problem]\n[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.", ("doubled header",)),
        ("[Problem]\nWhat is 2 + 2?\n[Solution]\n\n[Solution]\nAdd.", ("doubled header",)),
        ("[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.\n\n[Problem]\nWhat is 3?", ("second problem cut off",)),
        ("[Problem] What is 2 + 2?\n[Solution] Add.\n[Solution] Or count.", ("second solution cut off",)),
        ("Sure, here it is.\n\n[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.", ("text before the problem",)),
        ("```\n[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.\n```", ("code fence",)),
        ("```markdown\n[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.", ("code fence",)),
        ("**[Problem]**\nWhat is 2 + 2?\n\n## [Solution]:\nAdd.", ()),
        ("[New Problem]\nWhat is 2 + 2?\n[solution]\nAdd.", ()),
        ("## Problem\nWhat is 2 + 2?\n\n## Solution\nAdd.", ("header variant",)),
        ("**Problem:** What is 2 + 2?\n\n**Solution:** Add.", ("header variant",)),
        ("Question: What is 2 + 2?\nSolution: Add.", ("header variant",)),
        ("<problem>What is 2 + 2?\n<solution>Add.", ("header variant",)),
        ("[Problem]\nWhat is 2 + 2?\n\n**Solution**\nAdd.", ("header variant",)),
    ],
)
def test_what_can_be_mended_is_mended_and_recorded(text, repairs):
    result = parsed(text)
    assert (result.question, result.solution) == ("What is 2 + 2?", "Add.")
    assert result.repairs == repairs


def test_a_tool_solution_begins_at_its_code_when_the_tag_is_missing():
    result = parsed(f"[Problem]\nWhat is 2 + 2?\n\n{CODE}", "tool")
    assert result == ParsedProblem("What is 2 + 2?", CODE, "4", ("missing solution tag",))


def test_comments_in_code_are_no_headers():
    code = CODE.replace("print", "# Problem: add\n# [Solution]\nprint")
    assert parsed(f"[Problem]\nWhat is 2 + 2?\n\n[Solution]\n{code}", "tool").solution == code


def test_a_closing_fence_inside_stays_when_the_wrapping_one_goes():
    text = f"```\n[Problem]\nWhat is 2 + 2?\n\n[Solution]\n{CODE}\n```"
    assert parsed(text, "tool").solution == CODE


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("", "cot", "empty generation"),
        (" \n\u200b", "cot", "empty generation"),
        ("The moon is round.", "cot", "no problem or solution header"),
        ("[Problem]\nWhat is 2 + 2?", "cot", "no solution header"),
        ("[Problem]\n\n[Solution]\nAdd.", "cot", "empty question"),
        ("[Problem]\nWhat is 2 + 2?\n[Solution]\n", "cot", "empty solution"),
        ("[Problem]\nWhat is 2 + 2?\n[Solution]\nAdd.", "tool", "no code block"),
        ("[Problem]\nWhat is 2 + 2?\n[Solution]\n```python\nprint(4)", "tool", "unclosed code block"),
    ],
)
def test_what_cannot_be_read_is_refused_for_a_reason(text, kind, reason):
    assert parse_generation(text, kind) == Rejection(reason)


lines = st.lists(st.text(alphabet="ab7 +$\\{}.é", max_size=20), min_size=1, max_size=4)
texts = lines.map("\n".join).map(normalise).filter(bool)


@given(texts, texts)
def test_reading_what_was_written_gives_it_back(question, solution):
    result = parsed(format_response(question, solution))
    assert (result.question, result.solution, result.repairs) == (question, solution, ())


@given(st.text(alphabet="[]Problem\nSolution*#: `~py", max_size=120), st.sampled_from(["cot", "tool"]))
def test_nothing_that_a_model_writes_breaks_the_parser(text, kind):
    result = parse_generation(text, kind)
    if isinstance(result, ParsedProblem):
        assert result.question == result.question.strip() != ""
        assert result.solution == result.solution.strip() != ""


def test_the_pretraining_format_is_the_papers():
    def problem(kind):
        row = Generation("g", "p", "t", "amc8", kind, "", "stop", 1, "student")
        return to_problem(row, ParsedProblem("Q?", "S.", "4"), round=0)

    assert format_pretraining(problem("cot")) == ("## Question\nQ?\n\n## Solution\n", "S.")
    assert format_pretraining(problem("tool")) == ("## Question\nQ?\n\n## Code Solution\n", "S.")
    assert (problem("cot").answer, problem("cot").generator, problem("cot").round) == ("4", "student", 0)


@given(
    st.lists(
        st.sampled_from(
            [
                "[Problem]\n",
                "\n[Solution]\n",
                "[solution]",
                "**[Problem]**",
                "[New Problem]",
                "a",
                " ",
                "\n",
                "é",
                "\\boxed{7}",
            ]
        ),
        max_size=9,
    ).map("".join)
)
def test_the_short_way_reads_as_the_long_one_does(text):
    text = normalise(text)
    if (short := parsing._as_asked(text)) is not None:
        repairs = []
        assert parsing._split(text, "cot", repairs) == short and repairs == []


def test_the_form_that_is_asked_for_takes_the_short_way():
    assert parsing._as_asked("[Problem]\nWhy?\n\n[Solution]\nSo.") == ("Why?", "So.")


PLAIN = "[Problem]\nWhat is 2 + 3?\n\n[Solution]\n2 + 3 = 5, so \\boxed{5}."


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (f"Sure! Here it is:\n\n```\n{PLAIN}\n```", ("code fence", "text before the problem")),
        (f"```markdown\n{PLAIN}\n```\nLet me know if you want more!", ("code fence", "text after the solution")),
        (f"{PLAIN}\n\nLet me know if you would like another one.", ("text after the solution",)),
        (f"{PLAIN}\n\n---\nI hope this helps! Feel free to ask.", ("text after the solution",)),
        ("**Problem 1:** What is 2 + 3?\n\n**Solution 1:**\n2 + 3 = 5, so \\boxed{5}.", ("header variant",)),
        ("### Problem 7\nWhat is 2 + 3?\n\n### Solution\n2 + 3 = 5, so \\boxed{5}.", ("header variant",)),
        (f"<think>\n{PLAIN.replace('3', '9')}\n</think>\n{PLAIN}", ("thoughts cut off",)),
    ],
)
def test_what_is_cut_off_is_a_named_repair(text, repairs):
    parsed = parse_generation(text, "cot")
    assert (parsed.question, parsed.solution, parsed.answer) == ("What is 2 + 3?", "2 + 3 = 5, so \\boxed{5}.", "5")
    assert parsed.repairs == repairs


def test_a_backslash_that_json_took_for_an_escape_comes_back():
    written = PLAIN.replace("2 + 3?", r"\frac{1}{2} \times \theta \neq 8 \right)?")
    read = written.replace("\\frac", "\frac").replace("\\times", "\times").replace("\\boxed", "\boxed")
    read = read.replace("\\theta", "\theta").replace("\\neq", "\neq").replace("\\right", "\right")
    assert parse_generation(read, "cot") == replace(parse_generation(written, "cot"), repairs=("lost backslash",))


@pytest.mark.parametrize("damage", ["\x00", "\x0c", "\x1b[0m", "\ud83d", "\ufffd"])
def test_damaged_characters_are_refused(damage):
    assert parse_generation(PLAIN.replace("What", f"What{damage}"), "cot") == Rejection("damaged characters")


def test_thoughts_without_an_end_are_no_problem():
    assert parse_generation(f"<think>Maybe\n{PLAIN}", "cot") == Rejection("cut off in its thoughts")


@pytest.mark.parametrize(("opens", "closes"), THOUGHT_MARKS)
def test_whatever_marks_thoughts_they_are_no_part_of_the_problem(opens, closes):
    draft = PLAIN.replace("3", "9")
    for thoughts in (f"{opens}{draft}{closes}", f"{draft}{closes}", f"{opens.upper()}{draft}{closes.upper()}"):
        parsed = parse_generation(f"{thoughts}\n{PLAIN}", "cot")
        assert parsed == replace(parse_generation(PLAIN, "cot"), repairs=("thoughts cut off",))
    assert parse_generation(f"{opens}{PLAIN}", "cot") == Rejection("cut off in its thoughts")


@pytest.mark.parametrize(
    ("text", "repair"),
    [
        (f"{PLAIN}<|im_end|>", "special tokens cut off"),
        (f"{PLAIN}\n</s>\n", "special tokens cut off"),
        (f"{PLAIN}<\uff5cend\u2581of\u2581sentence\uff5c>", "special tokens cut off"),
        (f"<|START_RESPONSE|>{PLAIN}<|END_RESPONSE|>", "special tokens cut off"),
        (f"{PLAIN}\n[/Solution]", "closing tag"),
        (f"{PLAIN}\n</answer>", "closing tag"),
        (PLAIN.replace("\n\n[Solution]", "\n[/Problem]\n\n[Solution]"), "closing tag"),
    ],
)
def test_what_a_template_or_a_habit_of_xml_adds_is_cut_off(text, repair):
    assert parse_generation(text, "cot") == replace(parse_generation(PLAIN, "cot"), repairs=(repair,))


@pytest.mark.parametrize(
    "between",
    [
        "\n\nWait, that has an error. Let me revise.\n\n",
        "\n</draft>\n",
        "\n\nHere is my final response:\n",
        "\n\nThe corrected version:\n",
    ],
)
def test_a_draft_before_another_problem_is_no_problem(between):
    draft = PLAIN.replace("5", "6")
    for tags in (PLAIN, PLAIN.replace("[Problem]", "[Revised Problem]").replace("[Solution]", "[Revised Solution]")):
        assert parse_generation(f"{draft}{between}{tags}", "cot") == Rejection("a draft before another problem")
    assert parse_generation(f"{PLAIN}\n\n{draft}", "cot").solution == parse_generation(PLAIN, "cot").solution


@pytest.mark.parametrize("heading", ["## Solution", "## Code Solution", "## Step-by-Step Solution"])
def test_the_question_of_a_published_row_has_no_heading(heading):
    """A quarter of JiuZhang3.0's fine-tuning rows have the third."""
    assert question_in(f"## Question\nWhat is 2 + 3?\n\n{heading}\n") == "What is 2 + 3?"
    assert question_in("What is 2 + 3?\n\n## Given\nx = 2 - 1") == "What is 2 + 3?\n\n## Given\nx = 2 - 1"

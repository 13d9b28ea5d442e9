import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.generation.json_output import MENDED, read_json
from src.generation.refusals import Unreadable

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from('\\{}\n"$ntrbfu'), min_size=1)


def is_plain(text):
    """Without what a model would have had to escape and could have forgotten."""
    return not re.search(r"\n[a-zA-Z]|\\", text)


@given(TEXTS.filter(is_plain), TEXTS.filter(is_plain))
def test_what_is_escaped_rightly_comes_back_as_it_was(problem, solution):
    text, mended = read_json(json.dumps({"problem": problem, "solution": solution}))
    assert (text, mended) == (f"[Problem]\n{problem}\n\n[Solution]\n{solution}", None)


LATEX = r"Compute $\frac{1}{2} \times 8 \neq \nu + \rho$, \boxed{\text{so}} \alpha \(x\) \underline{y} \tan \theta"


@pytest.mark.parametrize(
    "around",
    ["{}", "```json\n{}\n```", "Sure, here it is:\n{}\nLet me know if it helps."],
)
def test_latex_with_lone_backslashes_is_mended(around):
    text, mended = read_json(around.replace("{}", '{"problem": "' + LATEX + '", "solution": "\\boxed{4}"}'))
    assert text == f"[Problem]\n{LATEX}\n\n[Solution]\n\\boxed{{4}}"
    assert mended == MENDED


def test_latex_escaped_as_it_should_be_is_left_alone():
    text, mended = read_json(json.dumps({"problem": LATEX, "solution": "\\boxed{4}"}))
    assert text.startswith(f"[Problem]\n{LATEX}\n")
    assert mended is None


def test_new_lines_and_indents_stay_what_they_are():
    said = {"problem": "a\nnu is\ne", "solution": "```python\nif x:\n\ttan(x)\n\tprint(1)\n```"}
    text, mended = read_json(json.dumps(said))
    assert text == f"[Problem]\n{said['problem']}\n\n[Solution]\n{said['solution']}"
    assert mended is None


@pytest.mark.parametrize("control", [f"\\u{code:04x}" for code in (*range(9), 11, 12, *range(14, 32), 127)])
def test_a_control_character_that_nothing_explains_is_refused(control):
    with pytest.raises(Unreadable, match="control character"):
        read_json('{"problem": "Compute $' + control + 'rac{1}{2}$", "solution": "x"}')


def test_a_tab_where_a_command_lost_its_first_letter_is_refused():
    with pytest.raises(Unreadable, match=r"control character \(U\+0009\)"):
        read_json('{"problem": "Compute $3 \\u0009imes 8$", "solution": "x"}')


@pytest.mark.parametrize(
    ("problem", "note"), [(r"x is \ud835", "unreadable characters"), (r"\\alpha \ud835\udc65", None)]
)
def test_half_a_surrogate_pair_is_no_character(problem, note):
    text, said = read_json('{"problem": "' + problem + '", "solution": "x"}')
    assert said == note
    assert ("\ufffd" in text) == (note is not None)
    text.encode()


@pytest.mark.parametrize("text", ["", "four", "[1]", '{"problem": "x"}', '{"problem": 1, "solution": "x"}', "{" * 5000])
def test_what_is_no_such_object_is_refused(text):
    with pytest.raises(Unreadable, match="no JSON object of problem and solution"):
        read_json(text)

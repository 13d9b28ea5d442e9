import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text import normalise as module
from src.text.normalise import normalise, question_key


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("  a \t\n\n\n\n b  ", "a\n\n b"),
        ("e\u0301", "\u00e9"),
        ("x\u00b2", "x\u00b2"),
        ("1\u00a0000\u200b", "1 000"),
        ("\ufeffa\x00", "a"),
        ("\ud800", "?"),
        ("one\x0btwo\x0cthree", "one\ntwo\nthree"),
        ("one\x85two\u2028three\u2029four", "one\ntwo\nthree\nfour"),
    ],
)
def test_looks_become_one_and_meaning_stays(text, clean):
    assert normalise(text) == clean


@given(st.text(alphabet=st.characters(categories=None, max_codepoint=0x2FFF)))
def test_normalising_twice_changes_nothing_and_utf8_can_hold_it(text):
    once = normalise(text)
    assert normalise(once) == once
    once.encode("utf-8")


def test_copies_share_a_key_and_different_questions_do_not():
    assert question_key("What is  $3+5$?") == question_key("what is 3+5")
    assert question_key("What is 3 + 5?") != question_key("What is 3 - 5?")
    assert question_key("**Problem** What is 2*3?") == question_key("problem: what is 2*3")
    assert question_key("What is 2*3?") != question_key("What is 2.3?")
    assert question_key("Find 1.5 times 2.") != question_key("Find 15 times 2.")


@given(st.text(alphabet="a\u0301 \t\n\r\x00\x0b\x85\u2028\u00a0\u200b\ud800", max_size=30))
def test_what_is_left_undone_would_have_changed_nothing(text):
    """Against every step, one after the other, whether the text needs it or not."""
    plain = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    plain = module._LINE_ENDS.sub("\n", plain)
    plain = unicodedata.normalize("NFC", module._SPACES.sub(" ", module._INVISIBLE.sub("", plain)))
    plain = module._BLANK_LINES.sub("\n\n", module._TRAILING.sub("", plain)).strip()
    assert normalise(text) == plain

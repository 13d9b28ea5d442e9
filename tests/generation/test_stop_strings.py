import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.generation.stop_strings import completing, cut


class Pieces:
    """A tokenizer whose tokens are these texts."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def __len__(self):
        return len(self.pieces)

    def batch_decode(self, rows):
        return ["".join(self.pieces[token] for token in row) for row in rows]


@pytest.mark.parametrize(
    ("piece", "may"),
    [
        ("Question", True),
        (" Question:", True),
        ("tion", True),
        ("x## Question y", True),
        ("n", True),
        ("", True),
        ("\ufffd", True),
        ("## Quest", False),
        ("\n", False),
        (" on", False),
        ("Answer", False),
    ],
)
def test_tokens_that_may_complete_a_stop_string(piece, may):
    assert completing(Pieces("a", piece), ("## Question",), 3).tolist() == [False, may, False]


def test_without_stop_strings_no_token_ends_a_text():
    assert not completing(Pieces("a", ""), (), 2).any()


@given(
    st.lists(st.text("ab #", min_size=1, max_size=3), min_size=1, max_size=8), st.text("ab #", min_size=1, max_size=4)
)
def test_no_stop_string_is_complete_after_another_token(pieces, stop):
    table = completing(Pieces(*pieces), (stop,), len(pieces))
    text = ""
    for token, piece in enumerate(pieces):
        before, text = text, text + piece
        assert not (stop in text and stop not in before) or table[token]
    assert isinstance(table, torch.Tensor)


def test_the_first_stop_string_cuts():
    assert cut("a b Q: c\n", ("\n", "Q:")) == ("a b ", "Q:")
    assert cut("abc", ("Q:",)) is None

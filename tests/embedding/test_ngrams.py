from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.embedding.ngrams import NGramEmbedder

NOWHERE = Path("unused")


def similarity(one, other):
    first, second = NGramEmbedder().embed([one, other], NOWHERE)
    return float(first @ second)


def test_what_is_spelt_alike_lies_near():
    same = similarity("Carrying a ten to the next column", "carrying a ten to  the next column")
    near = similarity("Carrying a ten to the next column", "Carrying tens to the next columns")
    far = similarity("Carrying a ten to the next column", "Vieta's formulas for roots")
    assert same == pytest.approx(1) and near > 0.6 and far < 0.2


@given(st.lists(st.text(), max_size=8))
def test_rows_have_length_1_or_0_and_stand_for_their_own_text(texts):
    found = NGramEmbedder().embed(texts, NOWHERE)
    assert found.shape == (len(texts), 2048) and found.dtype == np.float32
    lengths = np.linalg.norm(found, axis=1)
    assert all(n == pytest.approx(1, abs=1e-4) or n == 0 for n in lengths)
    backwards = NGramEmbedder().embed(texts[::-1], NOWHERE)
    np.testing.assert_array_equal(found, backwards[::-1])


def test_options_are_checked():
    with pytest.raises(ValueError, match="longest must be at least 4"):
        NGramEmbedder(shortest=4, longest=3)

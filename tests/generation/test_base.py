import pytest

from src.generation.base import Sampling


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0"),
        ({"top_p": 0.0}, r"top_p must lie in \(0, 1\]"),
        ({"top_k": -1}, "top_k must be at least 0"),
        ({"min_p": 1.5}, r"min_p must lie in \[0, 1\]"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
    ],
)
def test_no_engine_is_asked_what_none_can_do(wrong, match):
    with pytest.raises(ValueError, match=match):
        Sampling(**wrong)

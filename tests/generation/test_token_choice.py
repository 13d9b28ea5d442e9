import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.generation.base import Sampling
from src.generation.token_choice import choose, penalised, probabilities

LOGITS = torch.tensor([0.4, 0.1, 0.3, 0.2], dtype=torch.float64).log()


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(), [0.4, 0.1, 0.3, 0.2]),
        (Sampling(top_k=2), [0.4, 0, 0.3, 0]),
        (Sampling(top_p=0.7), [0.4, 0, 0.3, 0]),
        (Sampling(top_p=0.71), [0.4, 0, 0.3, 0.2]),
        (Sampling(min_p=0.6), [0.4, 0, 0.3, 0]),
        (Sampling(top_p=0.01), [0.4, 0, 0, 0]),
        (Sampling(top_k=2, top_p=0.5), [0.4, 0, 0, 0]),  # 0.4 is more than half of 0.7
        (Sampling(temperature=0.5), [0.16 / 0.3, 0.01 / 0.3, 0.09 / 0.3, 0.04 / 0.3]),
    ],
)
def test_each_rule_keeps_what_it_says(sampling, kept):
    assert probabilities(LOGITS, sampling).tolist() == pytest.approx(kept)


def test_seen_tokens_become_less_likely_whatever_their_sign():
    logits = torch.tensor([2.0, -2.0, 2.0, -2.0])
    assert penalised(logits, torch.tensor([0, 1, 1]), 2.0).tolist() == [1.0, -4.0, 2.0, -2.0]


def test_frequencies_follow_the_probabilities():
    generator = torch.Generator().manual_seed(0)
    drawn = choose(LOGITS.expand(4000, -1), [], Sampling(), [generator] * 4000)
    assert (torch.bincount(torch.tensor(drawn)) / 4000).tolist() == pytest.approx([0.4, 0.1, 0.3, 0.2], abs=0.03)


def test_zero_temperature_takes_the_likeliest():
    assert choose(LOGITS[None], [], Sampling(temperature=0), [torch.Generator()]) == [0]


@given(st.integers(0, 2**31), st.floats(0.05, 1), st.integers(0, 6), st.floats(0, 1))
def test_a_token_that_a_rule_excludes_is_never_chosen(seed, top_p, top_k, min_p):
    sampling = Sampling(top_p=top_p, top_k=top_k, min_p=min_p)
    [token] = choose(LOGITS[None], [], sampling, [torch.Generator().manual_seed(seed)])
    assert probabilities(LOGITS, sampling)[token] > 0

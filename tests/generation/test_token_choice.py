import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from src.generation.base import Sampling
from src.generation.token_choice import choose_tokens, penalised, probabilities, uniforms

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
    logits = torch.tensor([[2.0, -2.0, 2.0, -2.0]])
    assert penalised(logits, torch.tensor([[0, 1, 1]]), 2.0).tolist() == [[1.0, -4.0, 2.0, -2.0]]


def drawn(logits, sampling, seeds, place=0):
    seeds = torch.tensor(seeds)
    seen, places = torch.zeros(len(seeds), 0, dtype=torch.long), torch.full_like(seeds, place)
    return choose_tokens(logits.expand(len(seeds), -1), seen, sampling, seeds, places)


@pytest.mark.parametrize("of", ["seeds", "places"])
def test_frequencies_follow_the_probabilities(of):
    if of == "seeds":
        tokens = drawn(LOGITS, Sampling(), range(4000))
    else:
        tokens = torch.cat([drawn(LOGITS, Sampling(), [7], place) for place in range(4000)])
    assert (torch.bincount(tokens) / 4000).tolist() == pytest.approx([0.4, 0.1, 0.3, 0.2], abs=0.03)


def test_draws_of_neighbouring_seeds_and_places_have_nothing_in_common():
    points = torch.stack([uniforms(torch.arange(300), torch.tensor(place)) for place in range(300)])
    assert 0 <= points.min() < 1e-3 and 0.999 < points.max() < 1
    assert points.mean().item() == pytest.approx(0.5, abs=0.005)
    for axis in (0, 1):
        shifted = points.roll(1, axis)
        assert torch.corrcoef(torch.stack([points.ravel(), shifted.ravel()]))[0, 1].abs() < 0.01
    assert len(points.unique()) == points.numel()


def test_a_draw_is_the_published_hash_of_its_seed_and_place():
    """SplitMix64, written with Python's own integers."""

    def mixed(x):
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        return x ^ x >> 31

    seeds = [0, 1, 12345, 2**31 - 1, 2**62 + 3]
    for place in (0, 1, 500):
        wanted = [(mixed((mixed(s) + (place + 1) * 0x9E3779B97F4A7C15) % 2**64) >> 11) / 2**53 for s in seeds]
        assert uniforms(torch.tensor(seeds), torch.tensor(place)).tolist() == wanted


def test_what_is_drawn_does_not_depend_on_the_other_texts():
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    seeds, none = torch.arange(50) * 999, torch.zeros(50, 0, dtype=torch.long)
    places = torch.arange(50) % 7
    together = choose_tokens(logits, none, Sampling(), seeds, places)
    ones = [slice(i, i + 1) for i in range(50)]
    alone = [choose_tokens(logits[one], none[one], Sampling(), seeds[one], places[one]) for one in ones]
    assert torch.cat(alone).tolist() == together.tolist()


def test_zero_temperature_takes_the_likeliest():
    assert drawn(LOGITS, Sampling(temperature=0), [0]).tolist() == [0]


@given(st.integers(0, 2**31), st.floats(0.05, 1), st.integers(0, 6), st.floats(0, 1))
def test_a_token_that_a_rule_excludes_is_never_chosen(seed, top_p, top_k, min_p):
    sampling = Sampling(top_p=top_p, top_k=top_k, min_p=min_p)
    [token] = drawn(LOGITS, sampling, [seed])
    assert probabilities(LOGITS.float(), sampling)[token] > 0

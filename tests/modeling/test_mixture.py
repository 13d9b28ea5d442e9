from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.errors import UserError
from src.core.records import Example
from src.modeling import loading
from src.modeling.mixture import interleave
from src.modeling.plan import Plan, make_plan
from src.modeling.recipe import Phase, Recipe
from src.modeling.rows import TokenCorpus, TokenRows
from src.modeling.tokenizing import tokenize


@pytest.fixture
def table(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> TokenRows:
    corpora = [TokenCorpus("big", lambda: rows[:45]), TokenCorpus("small", lambda: rows[45:], "in_order")]
    return tokenize(corpora, loading.load_tokenizer(base), recipe(), 96, tmp_path)


def plan(table: TokenRows, recipe: Any, *phases: Phase, seed: int = 0) -> Plan:
    return make_plan(table, recipe(phases=phases, epochs=None), ("shuffled", "in_order"), seed)


def shares(table: TokenRows, plan: Plan, first: int, last: int) -> np.ndarray:
    """Of the sequences of steps first..last-1, how many are of each corpus."""
    return np.bincount([table.corpus[s[0]] for step in range(first, last) for s in plan.sequences(step)], minlength=2)


def test_a_phase_has_its_length_and_its_mix(table: TokenRows, recipe: Any) -> None:
    made = plan(table, recipe, Phase({"big": 1}, 4 * 192), Phase({"big": 1, "small": 3}, 10 * 192))
    assert made.steps == 14 and [b.step for b in made.boundaries] == [0, 4]
    assert [b.name for b in made.boundaries] == ["100% big", "25% big, 75% small"]
    assert shares(table, made, 0, 4).tolist() == [8, 0]
    assert shares(table, made, 4, 14).tolist() == [5, 15]
    assert shares(table, made, 4, 8).tolist() == [2, 6], "spread evenly"


def test_a_corpus_goes_on_where_it_was_left(table: TokenRows, recipe: Any) -> None:
    parts = plan(table, recipe, Phase({"big": 1}, 3 * 192), Phase({"big": 1}, 3 * 192))
    whole = plan(table, recipe, Phase({"big": 1}, 6 * 192))
    assert np.array_equal(parts.bins.rows, whole.bins.rows)
    passes = len(whole.bins.rows) // 45
    times = np.bincount(whole.bins.rows[: 45 * passes], minlength=45)
    assert passes >= 1 and (times == passes).all(), "no row a second time before all were read"


def test_the_mix_of_one_phase_leaves_the_others_as_they_are(table: TokenRows, recipe: Any) -> None:
    first = Phase({"big": 1}, 5 * 192)
    one, two = (plan(table, recipe, first, Phase(mix, 192)) for mix in ({"big": 1.0}, {"small": 1.0}))
    assert one.steps == two.steps
    assert all(np.array_equal(a, b) for s in range(5) for a, b in zip(one.sequences(s), two.sequences(s), strict=True))
    assert not np.array_equal(one.bins.rows, plan(table, recipe, first, Phase({"big": 1}, 192), seed=1).bins.rows)


def test_an_unknown_corpus_is_an_error_that_names_the_known(table: TokenRows, recipe: Any) -> None:
    with pytest.raises(UserError, match="reads from 'huge', but the corpora with rows are big, small"):
        plan(table, recipe, Phase({"huge": 1}, 100))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4).filter(any))
def test_lists_are_spread_evenly_and_keep_their_order(counts: list[int]) -> None:
    order = interleave(counts)
    assert sorted(order) == list(range(sum(counts)))
    edges = np.cumsum([0, *counts])
    for i, n in enumerate(counts):
        places = np.flatnonzero((order >= edges[i]) & (order < edges[i + 1]))
        assert (np.diff(order[places]) > 0).all()
        want = (np.arange(n) + 0.5) * len(order) / max(n, 1)
        assert (abs(places + 0.5 - want) <= len(counts)).all()


@pytest.mark.parametrize("options", [{"epochs": 1.0}, {"epochs": None, "max_tokens": 5}])
def test_two_lengths_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="phases have lengths of their own"):
        Recipe(lr=1.0, phases=(Phase({"a": 1.0}, 5),), **options)
    with pytest.raises(ValueError, match="weights above 0"):
        Phase({"a": 0.0}, 5)

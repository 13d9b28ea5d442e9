"""Coverage and sampling weights."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from src.cleaning.fit import Balance, Coverage
from src.cleaning.sources import Sources
from src.core.records import Passage, write_table


def test_weights_even_out_and_keep_the_mean():
    cells = Counter({("amc8",): 900, ("aime",): 100})
    flat, half, none = (Balance(power=p).weights(cells) for p in (0.0, 0.5, 1.0))
    assert flat[("aime",)] / flat[("amc8",)] == pytest.approx(9) and none == {("aime",): 1.0, ("amc8",): 1.0}
    assert half[("aime",)] / half[("amc8",)] == pytest.approx(3)
    for weights in (flat, half, none):
        assert sum(weights[cell] * n for cell, n in cells.items()) == pytest.approx(1000)


def test_thinning_keeps_a_share_by_the_id_alone():
    ids = np.random.default_rng(0).integers(0, 2**63, 10_000).astype(np.uint64)
    kept = Balance().keeps(ids, np.full(len(ids), 0.5), 2.0)
    assert 0.22 < kept.mean() < 0.28
    assert (Balance().keeps(ids[::-1], np.full(len(ids), 0.5), 2.0)[::-1] == kept).all()


@pytest.mark.parametrize("options", [{"by": ()}, {"by": ("colour",)}, {"power": 2.0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        Balance(**options)


def test_coverage_counts_cells_and_measures_stages():
    rows = [
        {"source": "web", "stage": "amc8", "topic": "algebra", "kind": "cot", "verdict": "votes", "level": 3,
         "words": 10, "steps": 2, "grade": 4.0},
        {"source": "web", "stage": "amc8", "topic": "algebra", "kind": "cot", "verdict": "arithmetic", "level": 0,
         "words": 30, "steps": 4, "grade": 6.0},
    ]  # fmt: skip
    coverage = Coverage()
    for row in rows:
        coverage.add(pa.Table.from_pylist([row]))
    (cell,) = coverage.table(Balance())
    assert (cell["rows"], cell["verified"], cell["weight"]) == (2, 1, 1.0)
    summary = coverage.summary()
    assert summary["verified_share"] == summary["verified/source/web"] == summary["arithmetic_share"] == 0.5
    assert summary["terms_fit/amc8"] == 0.5
    assert coverage.stages()["amc8"]["words"] == {"mean": 20.0, "p10": 12.0, "p50": 20.0, "p90": 28.0}


def test_sources_and_licences(tmp_path):
    passages = [Passage("a", "web", "x", {"license": "MIT"}), Passage("b", "papers", "y"), Passage("c", "web", "z")]
    write_table(tmp_path / "p", Passage, passages)
    sources = Sources(tmp_path / "p")
    assert sources.of(["c", "b", "zz", "a"]) == ["web", "papers", "unknown", "web"]
    assert sources.licences == {"web": {"MIT": 1, "not stated": 1}, "papers": {"not stated": 1}}
    assert Sources(None).of(["a"]) == ["unknown"]

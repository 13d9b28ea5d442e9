"""The bench of a card runs where there is none, on a small model: its lines are tried before a card is paid for."""

import pytest

from tests.gpu import bench


@pytest.mark.slow
def test_the_bench_runs_without_a_card(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "STEPS", 4)
    monkeypatch.setattr(bench, "generation", lambda *_: {})  # tests/test_bench.py starts its engine
    found = bench.main(["--device=cpu", "--toy", f"--out={tmp_path / 'record.json'}"])
    trained = [speeds for title, speeds in found.items() if title.startswith("training") and "litgpt" not in title]
    assert len(trained) == 3 and all(speeds["of a dense product"] > 0 for speeds in trained)
    assert found["influence"]["samples/s"] > 0 and (tmp_path / "record.json").exists()
    assert sum(bench.lengths(16_384)) == 16_384

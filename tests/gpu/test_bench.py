"""The bench of a card runs where there is none, on a small model: its lines are tried before a card is paid for."""

import json

import pytest

from tests.gpu import bench
from tests.perf import machine


@pytest.mark.slow
def test_the_bench_runs_without_a_card(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "STEPS", 4)
    monkeypatch.setattr(bench, "generation", lambda *_: {})  # tests/test_bench.py starts its engine
    found = bench.main(["--device=cpu", "--toy", f"--out={tmp_path / 'record.json'}"])
    trained = [speeds for title, speeds in found.items() if title.startswith("training") and "litgpt" not in title]
    assert len(trained) == 3 and all(speeds["of a dense product"] > 0 for speeds in trained)
    assert found["influence"]["samples/s"] > 0 and (tmp_path / "record.json").exists()
    assert sum(bench.lengths(16_384)) == 16_384


def test_the_demo_runs_on_the_card_in_a_folder_of_its_own_and_tells_its_student(tmp_path, monkeypatch):
    def run(command, check):
        assert command[1:5] == ["-m", "src.train", "trainer=gpu", "study=bench"] and check
        assert f"outputs={tmp_path}" in command
        rows = [("base", "all", 0.1), ("student", "all", 0.25), ("student", "level 1", 0.5)]
        folder = tmp_path / "store" / "evaluate" / "0123"
        folder.mkdir(parents=True)
        keys = ("model", "group", "accuracy")
        written = [{"benchmark": "sums", **dict(zip(keys, row, strict=True))} for row in rows]
        (folder / "accuracy.json").write_text(json.dumps(written))

    monkeypatch.setattr(bench.subprocess, "run", run)
    found = bench.demo(tmp_path, toy=False)
    assert found.pop("seconds") >= 0 and found == {"sums, %": 25.0}
    assert "left out" in bench.demo(tmp_path, toy=True)


def test_a_record_names_the_driver_of_the_card(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine._driver() is None, "no such tool"
    tool.write_text("#!/bin/sh\necho 580.159.04\necho 580.159.04\n")
    tool.chmod(0o755)
    assert machine._driver() == "580.159.04"
    tool.write_text("#!/bin/sh\necho it cannot talk to the driver\nexit 9\n")
    assert machine._driver() is None

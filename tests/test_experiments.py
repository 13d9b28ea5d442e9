"""The record holds: the cheapest study is run again, and its numbers lie where they lay."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from src.core.records import STUDENT
from src.reporting.collect import collect
from src.reporting.outcomes import arm_accuracy
from src.reporting.tables import costs

ROOT = Path(__file__).parents[1]
EXPECTED = sorted((ROOT / "experiments" / "expected").glob("*.yaml"))


@pytest.mark.long
@pytest.mark.vllm
@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.stem)
def test_a_study_gives_what_it_gave(path, tmp_path):
    expected = yaml.safe_load(path.read_text())
    words = [*expected["command"].split(), "tracker=none", f"outputs={tmp_path}"]
    done = subprocess.run([sys.executable, "-m", "src.train", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    arms = {arm.name: arm for arm in collect(tmp_path, path.stem).arms}
    for name, (low, high) in expected["accuracy"].items():
        found = arm_accuracy(arms[name], [expected["benchmark"]], STUDENT)
        assert found is not None and low <= found.mean <= high, name
        assert costs(arms[name].complete).calls == expected["teacher_calls"][name]


def test_every_expectation_is_of_an_experiment_and_has_its_record():
    assert EXPECTED
    for path in EXPECTED:
        assert (ROOT / "conf" / "experiment" / path.name).exists()
        assert (ROOT / "experiments" / f"{path.stem}.md").exists()

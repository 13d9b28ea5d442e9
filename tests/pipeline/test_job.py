"""What a job does when it is done."""

import json
import os
from types import SimpleNamespace

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from src.core.errors import UserError
from src.core.processes import CORES
from src.core.stage import Artifact
from src.core.store import Store
from src.core.tracking import NoTracker
from src.pipeline.job import Job, _Record, _take_a_share_of_the_cores, set_aside


@pytest.mark.parametrize("error", [ValueError("no such column"), UserError("No job of s is complete.", "Run one.")])
def test_a_report_that_fails_does_not_fail_the_job_and_is_told_how_to_be_made_again(
    monkeypatch, caplog, tmp_path, error
):
    def fail(*_):
        raise error

    monkeypatch.setattr("src.reporting.write_report", fail)
    job = object.__new__(Job)
    job.outputs, job.study = tmp_path, "s"
    job._report()
    (record,) = caplog.records
    assert str(error) in record.getMessage()
    assert "python -m src.report study=s" in record.getMessage()
    assert bool(record.exc_info) == isinstance(error, ValueError), "a bug keeps its traceback"


def test_a_job_names_the_folders_that_serve_other_commands(monkeypatch, caplog, tmp_path):
    made = {name: Artifact(tmp_path / "store" / name / "abc") for name in ("steps", "reward")}
    for artifact in made.values():
        artifact.path.mkdir(parents=True)
        (artifact.path / "manifest.json").write_text('{"metrics": {}}')
    job = object.__new__(Job)
    job.study, job.name, job.seed, job.id, job.config, job.outputs = "s", "main", 0, "i", {}, tmp_path
    job.nodes = [
        SimpleNamespace(name=name, stage=SimpleNamespace(serves="decoding.reward" if name == "reward" else ""))
        for name in made
    ]
    job.store, job.compute, job.tracker = Store(tmp_path / "store"), None, NoTracker()
    monkeypatch.setattr(Job, "absent", lambda self: [])
    monkeypatch.setattr(Job, "_report", lambda self: None)
    monkeypatch.setattr("src.pipeline.job.Runner.walk", lambda self, nodes: made)
    record = SimpleNamespace(command="", visited=None, end=lambda status: None)
    monkeypatch.setattr("src.pipeline.job._Record", lambda job, say: record)
    monkeypatch.setattr("src.pipeline.job._in_parallel", lambda: False)
    monkeypatch.setattr("src.pipeline.job.stopping.listen", lambda *signals: None)
    monkeypatch.setattr("src.pipeline.job.stopping.keep_open_pipes", lambda: None)
    with caplog.at_level("INFO"):
        job.run()
    assert f"For other commands: decoding.reward={tmp_path}/store/reward/abc" in caplog.messages


@pytest.mark.parametrize(
    ("status", "planned", "kept"),
    [
        ("complete", {"corpus": "b"}, True),
        ("complete", {"corpus": "a"}, False),  # the same job, typed again
        ("failed", {"corpus": "b"}, False),  # nothing to lose
    ],
)
def test_the_record_of_another_job_of_that_name_is_kept(tmp_path, status, planned, kept):
    record = tmp_path / "run.json"
    assert set_aside(record, planned) is None
    record.write_text(json.dumps({"status": status, "planned": {"corpus": "a"}}))
    found = set_aside(record, planned)
    assert (found is not None) == kept and record.exists() != kept
    if found:
        assert found.parent == tmp_path / "earlier" and json.loads(found.read_text())["planned"] == {"corpus": "a"}


def test_of_two_jobs_of_a_name_that_run_at_a_time_none_loses_its_record(tmp_path, monkeypatch):
    monkeypatch.setattr("src.pipeline.job.HydraConfig.get", lambda: OmegaConf.create({"overrides": {"task": []}}))
    monkeypatch.setattr("src.pipeline.job._number", lambda: None)
    said = []
    records = {}
    for key in "ab":
        job = object.__new__(Job)
        job.folder, job.study, job.name, job.seed = tmp_path, "s", "main", 0
        job.config, job.nodes = {"question": None}, [SimpleNamespace(name="corpus", key=key)]
        records[key] = _Record(job, said.append)
    records["a"].end("complete")
    records["b"].end("complete")
    (earlier,) = (tmp_path / "earlier").iterdir()
    kept = [json.loads(path.read_text()) for path in (earlier, tmp_path / "run.json")]
    assert [(row["planned"]["corpus"], row["status"]) for row in kept] == [("a", "complete"), ("b", "complete")]
    assert str(earlier) in " ".join(said)


@pytest.mark.parametrize(
    ("launcher", "mode", "told", "share"),
    [
        ({"_target_": "a.JoblibLauncher", "n_jobs": 3}, "MULTIRUN", None, "5"),
        ({"_target_": "a.JoblibLauncher", "n_jobs": -1}, "MULTIRUN", None, "1"),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 99}, "MULTIRUN", None, "1"),
        ({"_target_": "a.RayLauncher", "ray": {"remote": {"num_cpus": 2}}}, "MULTIRUN", None, "2"),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 3}, "MULTIRUN", "7", "7"),  # the user's word, or the job before
        ({"_target_": "a.BasicLauncher"}, "MULTIRUN", None, None),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 3}, "RUN", None, None),
    ],
)
def test_jobs_side_by_side_share_the_cores(monkeypatch, launcher, mode, told, share):
    hydra = OmegaConf.create({"launcher": launcher})
    hydra.mode = RunMode[mode]
    monkeypatch.setattr("src.pipeline.job.HydraConfig.get", lambda: hydra)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.delenv(CORES, raising=False)
    if told:
        monkeypatch.setenv(CORES, told)
    _take_a_share_of_the_cores()
    assert os.environ.get(CORES) == share
    monkeypatch.delenv(CORES, raising=False)

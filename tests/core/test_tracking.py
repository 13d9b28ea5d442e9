import json
import struct
import threading
import time

import pytest

from src.core import tracking, wandb_run
from src.core.errors import UserError
from src.core.records import Prediction, content_id, write_table
from src.core.stage import Artifact
from src.core.store import write_json
from src.core.tracked_tables import tracked_tables
from src.core.tracking import Backend, BackgroundRun
from src.core.wandb_run import WandbTracker
from tests.waiting import wait_for

ANSWERS = [("student", 1, True), ("base", 1, False), ("student", 2, False), ("base", 2, True)]
ANSWERS += [("student", 3, True), ("base", 3, True), ("student", 4, True)]


def answer(model, number, right):
    row = (content_id(model, number), model, "exam", f"q{number}", "amc8", f"What is {number}?", "1", ["1"], ["1"])
    return Prediction(*row, [right], [""])


def artifact(folder):
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.0}\n')
    write_json(
        folder / "manifest.json",
        {"stage": folder.name, "key": "k1", "inputs": {"corpus": "k0"}, "metrics": {"accuracy": 0.25}, "seconds": 3.0}
        | {"counts": {"in": 5, "kept": 4}},
    )
    write_table(folder / "predictions", Prediction, [answer(*row) for row in ANSWERS])
    return Artifact(folder)


CURVE = [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0}]


def append(path, *points):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(point) + "\n" for point in points)


@pytest.fixture
def no_login(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


def start(folder, **options):
    return WandbTracker(**options).start("study", "arm-s0", "id0", {"seed": 0, "selector": {"top_k": 3}}, folder)


def run_files(folder):
    return list((folder / "wandb").rglob("*.wandb"))


@pytest.mark.slow
def test_an_offline_run_shows_its_stage_while_it_runs_and_holds_all_of_it_at_the_end(tmp_path, no_login):
    run, partial = start(tmp_path), tmp_path / "partial"
    with run.watching("pretrain", partial):
        append(partial / "out" / "metrics.jsonl", CURVE[0])
        append(partial / "progress.jsonl", {"unit": "tokens", "done": 640, "per_second": 32.0})
        live = wait_for(lambda: [row for file in run_files(tmp_path) for row in _read(file)["history"]])
        assert {"pretrain/step": 1, "pretrain/loss": 2.5}.items() <= live[0].items()
        wait_for(lambda: any("progress/pretrain/tokens" in row for row in _read(run_files(tmp_path)[0])["history"]))
    run.log_stage("pretrain", artifact(tmp_path / "a"), reused=False)
    run.log_stage("evaluate", artifact(tmp_path / "b"), reused=True)
    run.finish(failed=False)
    (file,) = run_files(tmp_path)
    wait_for(lambda: _read(file)["ended"])
    logged = _read(file)
    assert [row["pretrain/loss"] for row in logged["history"] if "pretrain/loss" in row] == [2.5, 2.0]
    assert [row["evaluate/step"] for row in logged["history"] if "evaluate/step" in row][:2] == [1, 2]
    assert [row["progress/pretrain/tokens_per_second"] for row in logged["history"] if "progress/seconds" in row] == [
        32
    ]
    assert logged["summary"]["evaluate/accuracy"] == 0.25
    assert logged["summary"]["evaluate/reused"] is True
    assert logged["run"] == ("study", "arm-s0", "id0")
    assert logged["config"] == {"seed": 0, "selector.top_k": 3}
    assert logged["artifacts"] == [("a-k1", {"corpus": "k0"})]
    assert any("pretrain/flippedpath" in row for row in logged["history"])
    assert {"memory_percent", "proc.memory.rssMB"} <= logged["system"]


@pytest.mark.slow
def test_a_server_that_is_away_leaves_an_offline_run(tmp_path, no_login, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setattr(wandb_run, "INIT_SECONDS", 3.0)
    run = start(tmp_path)
    with run.watching("pretrain", tmp_path / "partial"):
        append(tmp_path / "partial" / "out" / "metrics.jsonl", *CURVE)
    run.finish(failed=False)
    offline = [file for file in run_files(tmp_path) if "offline" in file.parent.name]
    wait_for(lambda: _read(offline[0])["ended"])
    assert [row["pretrain/loss"] for row in _read(offline[0])["history"]] == [2.5, 2.0]
    assert caplog.text.count("cannot be reached") == 1


class Recorder(Backend):
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def log(self, node, points):
        self.told += [(node, point["step"]) for point in points]

    def log_progress(self, node, points):
        self.told.append((node, points[-1]["done"]))

    def log_results(self, node, artifact, reused):
        self.told.append((node, "reused" if reused else "made"))

    def finish(self, failed):
        self.told.append("failed" if failed else "complete")


def test_no_point_is_told_twice_and_a_torn_line_waits_for_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "LOOK_EVERY_SECONDS", 0.01)
    backend, folder = Recorder(), tmp_path / "k.partial"
    run = BackgroundRun(lambda: backend, known=False)
    with run.watching("pretrain", folder):
        append(folder / "out" / "metrics.jsonl", CURVE[0])
        wait_for(lambda: backend.told)
        with (folder / "out" / "metrics.jsonl").open("a") as file:
            file.write('{"step": 2, ')
            file.flush()
            time.sleep(0.1)
            file.write('"loss": 2.0}\n')
    made = artifact(tmp_path / "a")
    append(made.path / "metrics.jsonl", {"step": 3, "loss": 1.5})
    run.log_stage("pretrain", made, reused=False)
    run.finish(failed=True)
    steps = [("pretrain", 1), ("pretrain", 2), ("pretrain", 3)]
    assert backend.told == [*steps, ("pretrain", "made"), "failed"]


def test_a_rerun_that_reuses_everything_adds_no_run(tmp_path, no_login):
    backend = Recorder()
    run = BackgroundRun(lambda: backend, known=True)
    run.log_stage("pretrain", artifact(tmp_path / "a"), reused=True)
    run.finish(failed=False)
    assert backend.told == []
    run = BackgroundRun(lambda: backend, known=False)  # all of it was made by other jobs: this one is still shown
    run.log_stage("pretrain", Artifact(tmp_path / "a"), reused=True)
    run.finish(failed=False)
    assert backend.told == [("pretrain", 1), ("pretrain", 2), ("pretrain", "reused"), "complete"]
    assert not start(tmp_path)._known
    (tmp_path / "wandb" / "offline-run-20260101_120000-id0").mkdir(parents=True)
    assert start(tmp_path)._known


@pytest.mark.parametrize("where", ["connect", "log_results", "finish"])
def test_a_tracker_that_fails_is_told_once_and_costs_the_tracking_only(tmp_path, where, caplog):
    def fail(*_):
        raise ConnectionError("quota exceeded\nand more")

    backend = Recorder()
    setattr(backend, where, fail)
    run = BackgroundRun(fail if where == "connect" else lambda: backend, known=False)
    for name in ("a", "b"):
        run.log_stage(name, artifact(tmp_path / name), reused=True)
    run.finish(failed=False)
    assert [record.getMessage() for record in caplog.records] == [
        "Tracking ends here, the job goes on: ConnectionError: quota exceeded"
    ]


def test_a_tracker_that_hangs_does_not_hold_the_job(monkeypatch, caplog):
    monkeypatch.setattr(tracking, "LAST_WORDS_SECONDS", 0.2)
    answered = threading.Event()
    run = BackgroundRun(lambda: answered.wait(60), known=False)
    run.finish(failed=False)
    answered.set()
    assert "does not answer" in caplog.text


def test_the_mode_is_what_was_asked_for_then_the_variable_then_the_login(tmp_path, no_login, monkeypatch):
    assert WandbTracker()._mode() == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert WandbTracker()._mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert WandbTracker()._mode() == "offline"
    assert WandbTracker(mode="online")._mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert not isinstance(start(tmp_path), BackgroundRun)


def test_online_without_a_login_is_refused_before_anything_runs(tmp_path, no_login):
    with pytest.raises(UserError, match="needs a login"):
        start(tmp_path, mode="online")


def test_flipped_questions_are_those_that_changed_sides(tmp_path):
    rows = tracked_tables(artifact(tmp_path / "a").path)["flipped"]
    assert [(row["change"], row["prompt"]) for row in rows] == [("won", "What is 1?"), ("lost", "What is 2?")]


def _read(path):
    """What `wandb sync` would send by now."""
    from wandb.proto import wandb_internal_pb2

    found = {"history": [], "summary": {}, "config": {}, "run": (), "artifacts": [], "system": set(), "ended": False}
    for data in _log_entries(path.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.HasField("history"):
            items = record.history.item
            found["history"].append({"".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items})
        if record.HasField("artifact") and not record.artifact.name.startswith("run-"):  # those hold the tables
            found["artifacts"].append((record.artifact.name, json.loads(record.artifact.metadata)["inputs"]))
        for item in record.summary.update if record.HasField("summary") else ():
            found["summary"]["".join(item.nested_key) or item.key] = json.loads(item.value_json)
        if record.HasField("run"):
            found["run"] = (record.run.run_group, record.run.display_name, record.run.run_id)
            found["config"] |= {i.key: json.loads(i.value_json) for i in record.run.config.update if i.key != "_wandb"}
        found["system"] |= {item.key for item in record.stats.item if record.HasField("stats")}
        found["ended"] = record.HasField("exit")
    return found


def _log_entries(data, header=7, block=32768):
    """LevelDB's log format: blocks of chunks, each with checksum, length and type (whole, first, middle, last)."""
    at, entry = header, b""
    while at + 7 <= len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        entry += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield entry
            entry = b""

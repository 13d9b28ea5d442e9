import json
import struct
import time

import pytest

from src.core.records import Prediction, content_id, write_table
from src.core.stage import Artifact
from src.core.store import write_json
from src.core.tracking import WandbTracker, tracked_tables

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


@pytest.mark.slow
def test_a_real_offline_run_holds_the_curves_of_made_and_reused_stages(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    run = WandbTracker().start("study", "arm-s0", "id0", {"seed": 0, "selector": {"top_k": 3}}, tmp_path)
    run.log_stage("pretrain", artifact(tmp_path / "a"), reused=False)
    run.log_stage("evaluate", artifact(tmp_path / "b"), reused=True)
    run.finish(failed=False)
    files = list((tmp_path / "wandb").rglob("*.wandb"))
    assert len(files) == 1
    logged = _records(files[0])
    assert [row["pretrain/loss"] for row in logged["history"] if "pretrain/loss" in row] == [2.5, 2.0]
    assert [row["evaluate/step"] for row in logged["history"] if "evaluate/step" in row][:2] == [1, 2]
    assert logged["summary"]["evaluate/accuracy"] == 0.25
    assert logged["summary"]["evaluate/reused"] is True
    assert logged["run"] == ("study", "arm-s0", "id0")
    assert logged["config"] == {"seed": 0, "selector.top_k": 3}
    assert logged["artifacts"] == [("a-k1", {"corpus": "k0"})]
    assert any("pretrain/flippedpath" in row for row in logged["history"])


def test_flipped_questions_are_those_that_changed_sides(tmp_path):
    rows = tracked_tables(artifact(tmp_path / "a").path)["flipped"]
    assert [(row["change"], row["prompt"]) for row in rows] == [("won", "What is 1?"), ("lost", "What is 2?")]


def _records(path, patience=30):
    """Read back what `wandb sync` would send. wandb's own process may still be writing when `finish` has returned."""
    from wandb.proto import wandb_internal_pb2

    until = time.monotonic() + patience
    while not _ended(path):
        assert time.monotonic() < until, "wandb wrote no end of the run"
        time.sleep(0.1)
    found = {"history": [], "summary": {}, "config": {}, "run": (), "artifacts": []}
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
    return found


def _ended(path):
    from wandb.proto import wandb_internal_pb2

    entries = list(_log_entries(path.read_bytes()))
    return entries and wandb_internal_pb2.Record.FromString(entries[-1]).HasField("exit")


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

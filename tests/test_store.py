"""What the store holds, who uses it, and what prune removes."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from src.core.store import Store
from src.generation.budget import Budget, Ledger, Spent
from src.store import main, prune, size, stored


def put(outputs, stage, key, n):
    folder = outputs / "store" / stage / key
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(bytes(n))


def record(outputs, study, job, planned, made=()):
    folder = outputs / "runs" / study / job
    folder.mkdir(parents=True)
    nodes = [{"node": key, "key": key} for key in made]
    (folder / "run.json").write_text(json.dumps({"study": study, "planned": planned, "nodes": nodes}))


def filled(outputs):
    for stage, key, n in [("corpus", "c1", 1000), ("clean", "shared", 20), ("clean", "left", 5), ("clean", "p1", 7)]:
        put(outputs, stage, key if key != "p1" else "p1.partial", n)
    put(outputs, "pretrain", "old.partial", 3)
    record(outputs, "a", "main-s0", {"corpus": "c1", "clean": "shared"})
    record(outputs, "b", "main-s0", {"clean": "p1"}, made=["shared"])
    return outputs


def told(capsys, *words):
    main(list(words))
    return capsys.readouterr().out


def test_each_artifact_has_its_size_and_its_studies(tmp_path, capsys):
    found = {item.path.name: (item.bytes, item.studies) for item in stored(filled(tmp_path))}
    assert found == {
        "c1": (1000, ("a",)),
        "shared": (20, ("a", "b")),
        "left": (5, ()),
        "p1.partial": (7, ("b",)),
        "old.partial": (3, ()),
    }
    out = told(capsys, f"outputs={tmp_path}")
    assert "study a: 2 artifacts, 1.0 kB, of which 1.0 kB it alone" in out
    assert "study b: 2 artifacts, 27 B, of which 7 B it alone" in out
    assert "no study uses 2 artifacts, 8 B" in out
    listed = told(capsys, "list", f"outputs={tmp_path}").splitlines()
    assert [line.split()[0] for line in listed] == ["corpus", "clean", "clean", "clean", "pretrain"], "largest first"


def test_what_each_study_has_paid_for_is_told(tmp_path, capsys):
    assert "by API" not in told(capsys, f"outputs={tmp_path}")
    with closing(Ledger(tmp_path / "cache" / "ledger.sqlite")) as ledger:
        for account in ("mine/a-s0", "mine/b-s0", "free/main-s0"):
            ledger.book(account, Spent(2, 1000, 200, 0.0 if account.startswith("free") else 0.25), Budget())
    out = told(capsys, f"outputs={tmp_path}")
    assert "study mine asked by API: 4 calls, 2,400 tokens, $0.50" in out
    assert "study free asked by API: 2 calls, 1,200 tokens, $0.00" in out


def test_prune_shows_first_and_removes_when_told_to_what_no_study_uses(tmp_path, capsys):
    filled(tmp_path)
    assert "2 artifacts, 8 B: would be removed" in told(capsys, "prune", f"outputs={tmp_path}")
    assert len(stored(tmp_path)) == 5
    assert "2 artifacts, 8 B: removed" in told(capsys, "prune", "--yes", f"outputs={tmp_path}")
    assert [item.path.name for item in stored(tmp_path)] == ["p1.partial", "shared", "c1"]
    assert "Every artifact is used" in told(capsys, "prune", "--yes", f"outputs={tmp_path}")


def test_what_an_earlier_job_of_the_same_name_made_is_kept(tmp_path, capsys):
    filled(tmp_path)
    record(tmp_path, "a", "other-s0", {"clean": "left"})
    path = tmp_path / "runs/a/other-s0/run.json"
    (path.parent / "earlier").mkdir()
    path.rename(path.parent / "earlier" / "x.json")
    assert {item.path.name: item.studies for item in stored(tmp_path)}["left"] == ("a",)


def test_what_a_job_is_making_is_kept(tmp_path, capsys):
    put(tmp_path, "pretrain", "new.partial", 3)
    with FileLock(tmp_path / "store" / "pretrain" / ".new.lock"):
        assert "a job is making it: kept" in told(capsys, "prune", "--yes", f"outputs={tmp_path}")
    assert len(stored(tmp_path)) == 1


def test_what_was_evaluated_outside_a_run_is_kept_and_what_it_stands_on(tmp_path, capsys):
    for key, inputs in (("first", {}), ("again", {"evaluation": "first"}), ("loose", {})):
        put(tmp_path, "evaluate", key, 4)
        manifest = {"key": key, "inputs": inputs}
        (tmp_path / "store" / "evaluate" / key / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "A-again").symlink_to("../store/evaluate/again")
    assert "1 artifact, " in told(capsys, "prune", "--yes", f"outputs={tmp_path}")
    assert {item.path.name: item.studies for item in stored(tmp_path)} == {
        "first": ("evaluations",),
        "again": ("evaluations",),
    }


def test_what_a_job_has_come_to_use_since_all_were_measured_is_kept(tmp_path):
    put(tmp_path, "clean", "left", 5)
    found = stored(tmp_path)
    record(tmp_path, "late", "main-s0", {"clean": "left"})
    assert "  a job has come to use it: kept" in list(prune(found, really=True))
    assert len(stored(tmp_path)) == 1


def test_a_removal_that_was_stopped_leaves_no_half_artifact_and_is_ended_by_the_next(tmp_path, monkeypatch, capsys):
    put(tmp_path, "clean", "left", 5)

    def stop(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("shutil.rmtree", stop)
        list(prune(stored(tmp_path), really=True))
    assert not (tmp_path / "store" / "clean" / "left").exists()
    record(tmp_path, "late", "main-s0", {"clean": "left"})  # made again meanwhile, which does not keep the rest
    assert "half removed" in told(capsys, "prune", "--yes", f"outputs={tmp_path}")
    assert not stored(tmp_path)


def test_what_a_job_removes_during_the_look_is_no_error(tmp_path, monkeypatch):
    put(tmp_path, "clean", "k.partial", 5)

    def gone(path):
        path.unlink()
        return os.lstat(path)

    monkeypatch.setattr(Path, "lstat", gone)
    assert [item.bytes for item in stored(tmp_path)] == [0]


def test_the_rest_of_a_job_that_was_killed_after_it_published_is_removed_although_its_artifact_is_used(
    tmp_path, monkeypatch, capsys
):
    store = Store(tmp_path / "store")
    (store.partial("pretrain", "k") / "work" / "checkpoint").write_bytes(bytes(5_000))

    def kill(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("shutil.rmtree", kill)
        store.publish("pretrain", "k", {})
    record(tmp_path, "a", "main-s0", {"pretrain": "k"})
    assert "5.0 kB  left over, no study" in told(capsys, "prune", "--yes", f"outputs={tmp_path}")
    assert [(item.path.name, item.studies) for item in stored(tmp_path)] == [("k", ("a",))]


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_is_within_a_twentieth_of_the_bytes(n):
    figure, unit = size(n).split()
    assert abs(float(figure) * 1000 ** ["B", "kB", "MB", "GB", "TB"].index(unit) - n) <= n / 20

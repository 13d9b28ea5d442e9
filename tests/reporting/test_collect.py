import json
import shutil
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.reporting.collect import Counts, JobRecord, Manifest, NodeRecord, Study, collect, read_curve
from tests.reporting.fake_store import NODES, FakeJob, build


def test_a_finished_job_is_read_whole(outputs: Path) -> None:
    study = collect(outputs, "demo")
    (job,) = study.jobs
    assert job.complete and not study.remarks
    assert study.node_names == NODES
    assert {a.model for a in job.accuracies} == {"student", "base"}
    clean = job.manifest("clean")
    assert clean and clean.counts.entered == clean.counts.kept + clean.counts.lost


def test_jobs_that_differ_by_seed_are_one_arm_in_the_order_of_the_sweep(outputs: Path) -> None:
    arms = collect(outputs, "ablation_no_influence").arms
    assert [(arm.name, [job.seed for job in arm.jobs]) for arm in arms] == [
        ("influence", [0, 1]),
        ("random", [0, 1]),
        ("none", [0, 1]),
    ]
    assert [len(arm.complete) for arm in arms] == [2, 2, 1]


def test_arms_of_one_name_are_told_apart_by_their_overrides(tmp_path: Path) -> None:
    rates = ("1e-3", "3e-3")
    build(tmp_path, "s", [FakeJob(f"run{r}-s0", 0, ["scale=laptop", f"pretrain.lr={r}"]) for r in rates])
    for folder in (tmp_path / "runs" / "s").iterdir():
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | {"name": "run"}))
    assert [arm.name for arm in collect(tmp_path, "s").arms] == ["run pretrain.lr=1e-3", "run pretrain.lr=3e-3"]


def test_holes_in_the_grid_are_missing(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a-s0", 0), FakeJob("a-s1", 1), FakeJob("b-s0", 0)])
    assert collect(tmp_path, "s").missing_seeds == ["b-s1"]


@pytest.mark.parametrize("content", [None, "", '{"name": "b', "[]"])
def test_a_job_without_a_readable_record_is_listed_as_missing(tmp_path: Path, content: str | None) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    lost = tmp_path / "runs" / "s" / "b"
    lost.mkdir()
    if content is not None:
        (lost / "run.json").write_text(content)
    study = collect(tmp_path, "s")
    assert {job.name: job.status for job in study.jobs} == {"a": "complete", "b": "missing"}
    assert len(study.remarks) == 1 and study.remarks[0].startswith("b: run.json")


def test_an_artifact_that_was_deleted_is_remarked_on(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    shutil.rmtree(tmp_path / "store" / "evaluate")
    study = collect(tmp_path, "s")
    assert study.jobs[0].accuracies == ()
    assert "evaluate" in study.remarks[0]


def test_unknown_studies_are_answered_with_the_known_ones(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Did you mean study=demo\? There are: ablation_data_volume, ab"):
        collect(outputs, "dmeo")
    with pytest.raises(UserError, match="holds no runs"):
        collect(tmp_path, "demo")


def test_a_study_cannot_name_a_folder_elsewhere(outputs: Path) -> None:
    with pytest.raises(UserError):
        collect(outputs, "../store")


def test_a_curve_survives_a_resumed_stage_and_a_torn_line(outputs: Path, tmp_path: Path) -> None:
    manifest = collect(outputs, "demo").jobs[0].manifest("pretrain")
    assert manifest
    shutil.copytree(manifest.path, tmp_path / "copy")
    object.__setattr__(manifest, "path", tmp_path / "copy")
    lines = [
        '{"step": 1, "loss": 5}',
        '{"step": 2, "loss": 4}',
        '{"step": 2, "loss": 3.5}',
        '{"lr": 1}',
        '{"step": 3, "lo',
    ]
    (manifest.path / "metrics.jsonl").write_text("\n".join(lines))
    assert read_curve(manifest) == [(1, 5.0), (2, 3.5)]


def job(*nodes: tuple[str, str]) -> JobRecord:
    made = tuple(NodeRecord(name, kind, name, False, 1.0, manifest(name, kind)) for name, kind in nodes)
    return JobRecord(Path(), "j", nodes=made)


def manifest(name: str, kind: str) -> Manifest:
    return Manifest(Path(name), kind, name, {}, Counts(), {}, 1.0, 1.0, {}, "", False, "", "")


@pytest.mark.parametrize(
    ("graphs", "together"),
    [
        (["abcd", "abcd"], "abcd"),
        (["abcd", "abxd"], "abxcd"),  # what only the second has stands where it branches off
        (["abd", "abcd", "aed"], "aebcd"),
        (["", "ab"], "ab"),
        (["abc", "xyz"], "xyzabc"),
    ],
)
def test_nodes_of_several_graphs_are_put_in_one_order(graphs: list[str], together: str) -> None:
    jobs = tuple(job(*((name, name) for name in graph)) for graph in graphs)
    assert "".join(Study("s", jobs).node_names) == together


def test_of_several_stages_of_a_kind_the_last_speaks_for_the_job() -> None:
    found = job(("exam_of_base", "evaluate"), ("first", "distil"), ("second", "distil"), ("exam", "evaluate"))
    last = found.manifest("evaluate")
    assert last and last.key == "exam"
    assert [each.key for each in found.manifests("distil")] == ["first", "second"]
    assert found.manifest("select") is None

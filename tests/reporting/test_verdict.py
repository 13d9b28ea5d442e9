import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from src.reporting.collect import Study, collect
from src.reporting.outcomes import primary, transfer
from src.reporting.verdict import answer, contrasts
from tests.reporting.fake_store import FakeJob, build


def _told(folder: Path, jobs: list[FakeJob]) -> tuple[Study, list[str]]:
    build(folder, "s", jobs)
    study = collect(folder, "s")
    return study, answer(study, study.arms[0])


def test_a_clear_gain_is_claimed_and_located(outputs: Path) -> None:
    study = collect(outputs, "demo")
    first, second = answer(study, study.arms[0])
    assert first.startswith("Pre-training helps")
    assert "better on seen families" in second and "no difference can be claimed on" in second


def test_an_untrained_student_earns_no_claim(tmp_path: Path) -> None:
    _, (first, *_) = _told(tmp_path, [FakeJob("a", skill=0.02)])
    assert first.startswith("No gain over the model it started from can be claimed")


def test_a_model_that_nobody_trained_is_told_by_what_it_solves(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a")])
    study = collect(tmp_path, "s")
    jobs = tuple(replace(job, nodes=tuple(n for n in job.nodes if n.name == "evaluate")) for job in study.jobs)
    for job in jobs:
        predictions = job.manifest("evaluate").path / "predictions" / "00000.parquet"
        rows = pq.read_table(predictions)
        pq.write_table(rows.filter(pc.equal(rows["model"], "student")), predictions)
    study = replace(study, jobs=jobs)
    first, *_ = answer(study, study.arms[0])
    assert re.fullmatch(r"The model solves [\d.]+ % \([\d.]+–[\d.]+\)\.", first)


def test_equal_arms_are_not_ranked(tmp_path: Path) -> None:
    jobs = [FakeJob(f"{arm}-s{seed}", seed) for arm in ("left", "right") for seed in range(3)]
    _, (first, *_) = _told(tmp_path, jobs)
    assert first.startswith("Right and left cannot be told apart")


def test_a_far_worse_arm_falls_behind(tmp_path: Path) -> None:
    jobs = [
        FakeJob(f"{arm}-s{seed}", seed, skill=skill) for arm, skill in (("a", 1.6), ("b", 0.3)) for seed in range(3)
    ]
    study, (first, *_) = _told(tmp_path, jobs)
    assert first.startswith("B falls behind a")
    (contrast,) = contrasts(study, study.arms[0])
    assert contrast.claimed and contrast.comparison.difference.mean < 0
    (mirrored,) = contrasts(study, study.arms[1])
    assert mirrored.comparison.difference.mean == -contrast.comparison.difference.mean


def test_one_seed_is_said_to_be_one_seed(outputs: Path) -> None:
    study = collect(outputs, "ablation_no_influence")
    assert answer(study, study.arms[0])[-1].startswith("None: one seed only")


def test_a_study_claims_of_its_primary_benchmarks_and_tells_transfer_apart(tmp_path: Path) -> None:
    study, (first, second) = _told(tmp_path, [FakeJob("a", primary=["seen_families", "not_asked"])])
    assert first.startswith("Pre-training helps") and "of 240 questions" in first
    assert second.startswith("On what was not taught (2 benchmarks)")
    assert primary(study.complete) == ("seen_families",)
    assert transfer(study.complete) == ("unseen_families", "gsm_symbolic")


def _ask_only(study: Study, arm: str, names: set[str]) -> None:
    for job in next(found for found in study.arms if found.name == arm).complete:
        manifest = job.manifest("evaluate")
        assert manifest is not None
        rows = json.loads((manifest.path / "accuracy.json").read_text())
        (manifest.path / "accuracy.json").write_text(json.dumps([row for row in rows if row["benchmark"] in names]))
        for shard in (manifest.path / "predictions").glob("*.parquet"):
            table = pq.read_table(shard)
            pq.write_table(table.filter(pc.is_in(table["benchmark"], pa.array(sorted(names)))), shard)


def test_arms_are_compared_on_what_all_of_them_were_asked_and_the_rest_is_told(tmp_path: Path) -> None:
    jobs = [FakeJob(f"{arm}-s{seed}", seed) for arm in ("left", "right") for seed in range(3)]
    build(tmp_path, "s", jobs)
    study = collect(tmp_path, "s")
    _ask_only(study, "right", {"seen_families", "unseen_families"})
    study = collect(tmp_path, "s")
    first, *_, last = answer(study, study.arms[0])
    assert first.startswith("Right and left cannot be told apart")
    assert last == "Not compared, for not every arm was asked: gsm symbolic."


def test_arms_without_a_question_in_common_are_said_to_be_so(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob(f"{arm}-s0", 0) for arm in ("left", "right")])
    study = collect(tmp_path, "s")
    _ask_only(study, "left", {"gsm_symbolic"})
    _ask_only(study, "right", {"seen_families"})
    study = collect(tmp_path, "s")
    assert answer(study, study.arms[0]) == [
        "No arm was asked questions that left was asked, so nothing can be compared."
    ]


def test_a_study_that_names_no_benchmark_it_asks_claims_of_all(tmp_path: Path) -> None:
    study, _ = _told(tmp_path, [FakeJob("a", primary=["gsm8k"])])
    assert len(primary(study.complete)) == 3 and transfer(study.complete) == ()


def test_nothing_complete_concludes_nothing(tmp_path: Path) -> None:
    _, told = _told(tmp_path, [FakeJob("a", status="failed", error="boom")])
    assert told == ["No job of this study is complete yet, so there is nothing to conclude."]

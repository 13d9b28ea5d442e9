"""The arithmetic and the table of `make bench`, on timings made up for it."""

from __future__ import annotations

import importlib

import pytest

from tests.perf.__main__ import BENCHES
from tests.perf.measure import Aim, Comparison, cycled, in_turns
from tests.perf.table import as_data, figure, notes, table


def compared(**changes: object) -> Comparison:
    options = {"what": "rows", "unit": "/s", "ours": (30.0, 8.0, 24.0), "other": (10.0, 4.0, 6.0), "against": "theirs"}
    return Comparison(**{**options, **changes})  # type: ignore[arg-type]


def test_a_ratio_is_taken_within_a_round_so_that_drift_cancels():
    steady = compared()
    drifting = compared(ours=(30.0, 4.0, 2.4), other=(10.0, 2.0, 0.6))  # each round on a slower machine
    assert steady.ratios == drifting.ratios == pytest.approx((3.0, 2.0, 4.0))
    assert steady.ratio == drifting.ratio == pytest.approx(3.0)  # the medians' ratio would be 4 and 2


def test_rounds_of_different_number_are_no_comparison():
    with pytest.raises(ValueError):
        _ = compared(ours=(1.0, 2.0)).ratios


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (None, None),
        (Aim(3.0), True),
        (Aim(3.01), False),
        (Aim(3.0, at_most=True), True),
        (Aim(2.99, at_most=True), False),
        (Aim(24.0, of="ours"), True),
        (Aim(24.1, of="ours"), False),
    ],
)
def test_an_aim_is_for_the_median_ratio_or_for_our_median(aim, met):
    assert compared(aim=aim).met is met


@pytest.mark.slow  # collects garbage before each figure
def test_sides_take_turns_and_the_warm_up_does_not_count():
    calls: list[str] = []

    def side(name: str):
        def measure() -> float:
            calls.append(name)
            return float(len(calls))

        return measure

    found = in_turns(2, {"a": side("a"), "b": side("b")})
    assert "".join(calls) == "ababab"
    assert found == {"a": (3.0, 5.0), "b": (4.0, 6.0)}
    assert in_turns(1, {"a": side("a")}, warm_up=False) == {"a": (7.0,)}


def test_the_table_is_aligned_markdown_with_the_aim_beside_each_ratio():
    found = {
        "packing": [compared(aim=Aim(99.5, of="ours"), unit="%")],
        "training": [compared(aim=Aim(1.03, at_most=True)), compared(ours=(1.0,), other=(8.0,))],
    }
    lines = table(found).split("\n")
    assert len({len(line) for line in lines}) == 1 and len(lines) == 5
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["bench", "what", "ours", "the alternative", "ratio", "from - to", "aim", "met"]
    assert set("".join(cells[1])) == {"-", ":"}
    assert cells[2][:4] == ["packing", "rows", "24.0 %", "6.000 %, theirs"]
    assert cells[2][4:] == ["3.000", "2.000 - 4.000", "ours >= 99.5 %", "no"]
    assert cells[3][4:] == ["3.000", "2.000 - 4.000", "<= 1.03", "no"]
    assert cells[4][4:] == ["0.125", "", "", ""]


def test_notes_are_said_once_and_the_data_are_whole():
    found = {"packing": [compared(note="few rows"), compared(note="few rows"), compared()]}
    assert notes(found) == ["packing: few rows"]
    data = as_data(compared(aim=Aim(2.0)))
    assert data["ratio"] == pytest.approx(3.0) and data["met"] is True and data["ours"] == (30.0, 8.0, 24.0)


@pytest.mark.parametrize(("value", "text"), [(0.1254, "0.125"), (9.9, "9.900"), (12.34, "12.3"), (45678.9, "45,679")])
def test_figures_have_the_digits_that_mean_something(value, text):
    assert figure(value) == text


def test_cycled_begins_again():
    assert cycled("abc", 5) == list("abcab")


@pytest.mark.parametrize("bench", BENCHES)
def test_every_bench_can_be_loaded(bench):
    assert callable(importlib.import_module(f"tests.perf.{bench}").run)

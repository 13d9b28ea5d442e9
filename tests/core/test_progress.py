import json

import pytest

from src.core import progress
from src.core.progress import Progress, span


def test_a_log_gets_a_line_with_rate_and_time_left(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress("packing", total=100, unit="rows") as bar:
        now[0] = 5.0
        bar.advance(5)
        now[0] = 11.0
        bar.advance(50, note="fill 99 %")
    line = capsys.readouterr().err
    assert "packing: 55/100 rows, 5/s, 9 seconds left  fill 99 %" in line
    assert line.count("\n") == 1


def test_points_are_left_for_a_tracker_every_few_seconds_and_at_the_end(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress("writing", total=40, unit="texts", points=tmp_path / "points") as bar:
        for second in range(4):
            now[0] = float(second)
            bar.advance(10)
    points = [json.loads(line) for line in (tmp_path / "points").read_text().splitlines()]
    assert [point["done"] for point in points] == [10, 30, 40]
    assert points[-1] == {"unit": "texts", "done": 40, "per_second": 40 / 3}


def test_no_time_left_is_guessed_from_almost_nothing():
    bar = Progress("writing", total=1000)
    bar.advance(1)
    assert bar.eta_seconds is None
    bar.advance(99)
    assert bar.eta_seconds is not None


def test_rows_that_an_earlier_run_did_do_not_count_as_speed():
    bar = Progress("writing", total=1000, done=900)
    assert bar.rate == 0
    assert bar.line().startswith("writing: 900/1,000 rows, 0/s")


def test_what_is_found_on_the_way_does_not_count_as_speed(monkeypatch):
    """A training's gradients, say, of which most were there when the bar began."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = Progress("gradients", total=1000, unit="candidates")
    bar.found(900)
    now[0] = 100.0
    bar.advance(50)
    assert bar.line() == "gradients: 950/1,000 candidates, 0.5/s, 100 seconds left"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.6, "1 second"), (5, "5 seconds"), (600, "10 minutes"), (198_000, "55 hours"), (604_800, "7 days")],
)
def test_spans_are_said_in_a_unit_that_fits(seconds, words):
    assert span(seconds) == words

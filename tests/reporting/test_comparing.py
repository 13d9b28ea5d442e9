import re
from pathlib import Path

from src.reporting.collect import collect
from src.reporting.comparing import curve
from src.reporting.scaling import trend
from tests.reporting.fake_store import FakeJob, build


def test_the_ticks_of_a_curve_say_where_each_arm_lies(tmp_path: Path) -> None:
    values = (10.2, 10.4, 22.5)
    build(tmp_path, "s", [FakeJob(f"a{x}-s{seed}", seed, [f"x={x}"], x / 10) for x in values for seed in (0, 1)])
    plot = curve(trend(collect(tmp_path, "s")))
    assert plot is not None
    assert re.findall(r"<text[^>]*>([^<]*)</text>", plot.svg)[:4] == ["10.2", "10.4", "22.5", "x"]

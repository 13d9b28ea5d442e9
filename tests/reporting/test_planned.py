from pathlib import Path

import pytest
import yaml

from src.reporting.planned import jobs_not_started

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def swept(folder: Path, params: dict[str, str], *typed: str, sweeper: str = BASIC) -> Path:
    record = {"hydra": {"sweeper": {"_target_": sweeper, "params": params}, "overrides": {"task": list(typed)}}}
    (folder / "multirun.yaml").write_text(yaml.safe_dump(record))
    return folder


@pytest.mark.parametrize(
    ("params", "typed", "planned"),
    [
        ({"selector": "influence,random,none", "seed": "range(2)"}, ["+experiment=x"], 6),
        ({"selector": "influence,random,none", "seed": "range(2)"}, ["seed=0,1,2", "selector=random"], 3),
        ({"schedule": "{decay: linear}, {decay: sqrt, from: 0.1}", "n": "choice(1,2)"}, [], 4),
        ({}, ["lr=0.1", "name=main"], 1),
    ],
)
def test_the_jobs_that_have_not_begun_are_counted(params, typed, planned, tmp_path):
    folder = swept(tmp_path, params, *typed)
    assert jobs_not_started(folder, planned) is None
    remark = jobs_not_started(folder, planned - 1)
    assert remark is not None and remark.startswith(f"1 of the last sweep's {planned} jobs have not begun")


def test_where_nothing_is_known_nothing_is_said(tmp_path):
    assert jobs_not_started(tmp_path, 0) is None
    (tmp_path / "multirun.yaml").write_text("hydra: [")
    assert jobs_not_started(tmp_path, 0) is None
    assert jobs_not_started(swept(tmp_path, {"a": "1,2"}, sweeper="hydra_plugins.hydra_optuna_sweeper.X"), 1) is None

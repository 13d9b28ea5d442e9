import pytest

from src.core.errors import UserError
from src.core.workspace import build_workspace, workspace


def test_the_workspace_shows_the_study_alone_and_its_benchmarks():
    pytest.importorskip("wandb_workspaces")
    nodes = {"ask": "distil", "exam_of_base": "evaluate", "learn": "pretrain", "exam": "evaluate"}
    built = workspace("me", "lab", "rounds", "Is one enough?", ["gsm8k"], nodes)
    accuracy, training, tables, costs = built.sections
    assert accuracy.panels[0].metrics == ["exam/gsm8k/accuracy", "exam/gsm8k/base"]
    assert [panel.title for panel in training.panels] == ["learn"]
    assert [panel.table_name for panel in tables.panels] == ["exam/flipped"]
    assert costs.panels[0].metric == "ask/calls"
    assert "rounds" in str(built.runset_settings.filters)


@pytest.mark.parametrize("project", ["lab", "/lab", "a/b/c"])
def test_a_project_needs_its_owner(project, monkeypatch):
    monkeypatch.setattr("src.core.workspace.require", lambda *_: None)
    with pytest.raises(UserError, match="entity/project"):
        build_workspace(project, "rounds", "?", [], {})


def test_a_login_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr("src.core.workspace.require", lambda *_: None)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(UserError, match="nobody is logged in"):
        build_workspace("me/lab", "rounds", "?", [], {})


def test_the_extra_is_asked_for(monkeypatch):
    monkeypatch.setattr("src.core.errors.find_spec", lambda name: None)
    with pytest.raises(UserError, match="wandb_workspaces"):
        build_workspace("me/lab", "rounds", "?", [], {})

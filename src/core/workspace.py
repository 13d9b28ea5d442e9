"""A W&B workspace for a study, built by code: the arms' accuracies, the students' losses, the tables to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from src.core.errors import UserError, require


def build_workspace(project: str, study: str, question: str, benchmarks: Sequence[str]) -> str:
    """Save the workspace and return its address.

    Args:
        project: entity/project, where the study's runs are.
        benchmarks: whose accuracies are drawn, the student's beside its base's.

    Raises:
        UserError: `wandb-workspaces` is not installed, or `project` is not of the form entity/project.
    """
    require("wandb_workspaces", "workspace=entity/project")
    entity, _, name = project.partition("/")
    if not entity or not name or "/" in name:
        raise UserError(f"workspace={project} does not name a project.", "Say workspace=entity/project.")
    return str(workspace(entity, name, study, question, benchmarks).save().url)


def workspace(entity: str, project: str, study: str, question: str, benchmarks: Sequence[str]):  # type: ignore[no-untyped-def]  # an extra's type
    """The workspace, not saved yet."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    accuracies = [
        wr.BarPlot(title=benchmark, metrics=[f"evaluate/{benchmark}/accuracy", f"evaluate/{benchmark}/base"])
        for benchmark in benchmarks
    ]
    losses = [wr.LinePlot(title=node, x=f"{node}/step", y=[f"{node}/loss"]) for node in ("pretrain", "synthesizer_2")]
    tables = [wr.WeavePanelSummaryTable(table_name=name) for name in ("evaluate/flipped", "clean/samples")]
    costs = [wr.ScalarChart(title="teacher calls", metric="distill_1/calls"), wr.BarPlot(metrics=["pretrain/seconds"])]
    sections: Any = (("Accuracy", accuracies), ("Training", losses), ("To read", tables), ("Cost", costs))
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{study}: {question}"[:120],
        sections=[ws.Section(name=title, panels=panels, is_open=True) for title, panels in sections],
        runset_settings=ws.RunsetSettings(filters=[ws.Config("study") == study], groupby=[ws.Config("name")]),
    )

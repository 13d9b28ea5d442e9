"""A W&B workspace for a study, built by code: the arms' accuracies, the students' losses, the tables to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from src.core.errors import UserError, require
from src.core.wandb_run import logged_in


def build_workspace(
    project: str, study: str, question: str, benchmarks: Sequence[str], nodes: Mapping[str, str]
) -> str:
    """Save the workspace and return its address.

    Args:
        project: entity/project, where the study's runs are.
        benchmarks: whose accuracies are drawn, the student's beside its base's.
        nodes: by name the kind of stage, in the order of their work.

    Raises:
        UserError: `wandb-workspaces` is not installed, nobody is logged in, or `project` is not entity/project.
    """
    require("wandb_workspaces", "workspace=entity/project")
    entity, _, name = project.partition("/")
    if not entity or not name or "/" in name:
        raise UserError(f"workspace={project} does not name a project.", "Say workspace=entity/project.")
    if not logged_in():
        raise UserError("A workspace is built at Weights & Biases, and nobody is logged in.", "Run `wandb login`.")
    return str(workspace(entity, name, study, question, benchmarks, nodes).save().url)


def workspace(  # type: ignore[no-untyped-def]  # an extra's type
    entity: str, project: str, study: str, question: str, benchmarks: Sequence[str], nodes: Mapping[str, str]
):
    """The workspace, not saved yet."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    def of(*kinds: str) -> list[str]:
        return [name for name, kind in nodes.items() if kind in kinds]

    exam = of("evaluate")[-1:]  # the student's: its base's comes before
    accuracies = [
        wr.BarPlot(title=benchmark, metrics=[f"{node}/{benchmark}/accuracy", f"{node}/{benchmark}/base"])
        for node in exam
        for benchmark in benchmarks
    ]
    losses = [wr.LinePlot(title=node, x=f"{node}/step", y=[f"{node}/loss"]) for node in of("synthesizer", "pretrain")]
    shown = [*(f"{node}/flipped" for node in exam), *(f"{node}/samples" for node in of("clean"))]
    tables = [wr.WeavePanelSummaryTable(table_name=name) for name in shown]
    costs: list[Any] = [wr.ScalarChart(title=f"calls of {node}", metric=f"{node}/calls") for node in of("distil")]
    costs += [wr.BarPlot(metrics=[f"{node}/seconds"]) for node in of("pretrain")]
    sections: Any = (("Accuracy", accuracies), ("Training", losses), ("To read", tables), ("Cost", costs))
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{study}: {question}"[:120],
        sections=[ws.Section(name=title, panels=panels, is_open=True) for title, panels in sections if panels],
        runset_settings=ws.RunsetSettings(filters=[ws.Config("study") == study], groupby=[ws.Config("name")]),
    )

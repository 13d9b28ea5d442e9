"""Writes a study's report: a page, Markdown, two CSV files and the main drawings.

A pure function of what the stages left: the same store gives the same bytes, whenever and wherever it is called.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from src.core.errors import UserError
from src.core.store import write_text
from src.reporting import markdown, page
from src.reporting.collect import Arm, Study, collect
from src.reporting.plots import standalone

OWN_WORDS = re.compile(r"^\*\*Beside the figures\.\*\*.*?$(?=\n\n)", re.DOTALL | re.MULTILINE)


def write_report(outputs: Path, study: str, baseline: str | None = None) -> Path:
    """Write `outputs/reports/<study>/` and return the page's path.

    Args:
        outputs: the folder that holds `store/` and `runs/`.
        study: the name of a folder in `outputs/runs`.
        baseline: the arm that the others are compared with; by default the sweep's first.

    Raises:
        UserError: no such study, or no such arm; the message lists those that exist.
    """
    found = collect(outputs, study)
    view = page.view(found, choose_baseline(found, baseline))
    folder = outputs / "reports" / study
    folder.mkdir(parents=True, exist_ok=True)
    _write_markdown(view, folder, "report.md", "")
    write_text(folder / "accuracy.csv", markdown.accuracy_csv(found))
    write_text(folder / "stages.csv", markdown.stages_csv(found))
    return write_text(folder / "index.html", page.render(view))


def write_record(outputs: Path, study: str, folder: Path, baseline: str | None = None) -> Path:
    """Write the Markdown as `<study>.md` with its drawings into `folder`, for `experiments/`. Raises as above.

    A paragraph that begins with "**Beside the figures.**" is a reader's own and stays when the record is written again.
    """
    found = collect(outputs, study)
    view = page.view(found, choose_baseline(found, baseline))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{study}.md"
    by_hand = OWN_WORDS.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    _write_markdown(view, folder, path.name, f"{study}-")
    if by_hand:
        text = path.read_text(encoding="utf-8")
        write_text(path, text.replace(markdown.UNFINISHED, f"{by_hand[0]}\n\n{markdown.UNFINISHED}", 1))
    return path


def _write_markdown(view: page.PageView, folder: Path, name: str, prefix: str) -> Path:
    """`prefix`: of the drawings' names, in a folder that holds several studies."""
    drawings = view.plots["arms"] or view.plots["accuracy"]
    for plot in drawings:
        write_text(folder / f"{prefix}{plot.name}.svg", standalone(plot.svg))
    return write_text(folder / name, markdown.report(view, drawings, prefix))


def choose_baseline(study: Study, name: str | None) -> Arm:
    """The arm of that name, or the sweep's first."""
    if not study.arms:
        return Arm("", ())
    if name is None:
        return study.arms[0]
    names = [arm.name for arm in study.arms]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean baseline={close[0]}? " if close else ""
        raise UserError(f"Study '{study.name}' has no arm '{name}'.", f"{hint}Its arms: {', '.join(names)}.")
    return study.arms[names.index(name)]

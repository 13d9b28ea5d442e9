"""Where our grader and plain math-verify part ways: for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator

from src.core.records import Prediction
from src.core.stage import Artifact

SHOWN_CHARS = 80


def disagreements(evaluation: Artifact) -> str:
    """Markdown: the answers on which the two disagree, each once, and how many were compared.

    math-verify reads the extracted answer, as our grader does, with its own settings; its time limits want the main
    thread. Letters of multiple choice are left out: it reads them as variables.
    """
    pairs = dict.fromkeys(_pairs(evaluation))
    different = [(gold, answer, ours) for gold, answer, ours in pairs if _plain_verdict(gold, answer) != ours]
    lines = [
        f"{len(different):,} of {len(pairs):,} different answers are graded otherwise by plain math-verify.",
        "",
        "| gold | answer | ours | math-verify |",
        "|---|---|---|---|",
    ]
    words = {True: "right", False: "wrong"}
    for gold, answer, ours in different:
        cells = (text.replace("|", "\\|").replace("\n", " ")[:SHOWN_CHARS] for text in (gold, answer))
        lines.append(f"| {' | '.join(cells)} | {words[ours]} | {words[not ours]} |")
    return "\n".join(lines if different else lines[:1])


def _pairs(evaluation: Artifact) -> Iterator[tuple[str, str, bool]]:
    """(gold, answer, our verdict) of every sample that holds an answer."""
    for p in evaluation.table("predictions", Prediction):
        for answer, ours in zip(p.extracted, p.verdict):
            if answer is not None and not (len(p.gold) == 1 and p.gold.isalpha()):
                yield p.gold, answer, ours


def _plain_verdict(gold: str, answer: str) -> bool:
    from math_verify import parse, verify

    return bool(verify(parse(f"${gold}$"), parse(f"${answer}$")))

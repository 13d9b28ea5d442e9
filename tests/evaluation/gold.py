"""Does the grader know its own gold? `python -m tests.evaluation.gold FOLDER` prints the table and every odd pair.

Gold solutions, as their publishers wrote them, go the way of a model's answer: extraction, then grading. Then every
gold answer is graded against other questions' gold answers, the whole set shuffled ten times: what is called equal
there is either spelled alike, as chance has it (of n questions, c^2 / n pairs for an answer that c of them have), or it
is reported.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from src.evaluation.benchmark import FileBenchmark
from src.evaluation.grading import UNJUDGED, Pair, grade, vote_key
from src.evaluation.question import Question
from src.text.answers import extract_answer

SHUFFLES = 10
FILES = {
    "math500": {"question": "problem", "answer": "answer", "solution": "solution"},
    "gsm8k": {"question": "question", "answer": "answer", "solution": "answer"},
    "mawps": {"question": "input", "answer": "target"},
    "svamp": {"question": "{Body} {Question}", "answer": "Answer"},
    "aqua": {"question": "question", "answer": "correct", "choices": "options"},
    "mmlu_stem": {"question": "question", "answer": "answer", "choices": "choices"},
}
KINDS = {"math500": "math", "aqua": "choice", "mmlu_stem": "choice"}


@dataclass
class Found:
    """One benchmark: how many golds met themselves, and how shuffled pairs were judged."""

    name: str
    missed: list[tuple[Pair, str]]
    questions: int
    alike: int
    unlike: list[Pair]
    shuffled: int
    expected: float
    unjudged: int

    @property
    def share(self) -> float:
        return 1 - len(self.missed) / self.questions


def check(folder: Path, name: str, shuffles: int = SHUFFLES) -> Found:
    """Gold against gold, and against shuffled gold."""
    kind = KINDS.get(name, "number")
    origin = "hashes" if name == "gsm8k" else "field"
    benchmark = FileBenchmark(
        path=str(folder / f"{name}.jsonl"), fields=FILES[name], answer_type=kind, answer_from=origin
    )
    questions = benchmark.questions()
    golds = [Pair(q.gold, extract_answer(worked(q), kind), kind) for q in questions]
    missed = [(pair, v.reason) for pair, v in zip(golds, (grade(*pair) for pair in golds)) if not v.correct]
    others = list(shuffled([q.gold for q in questions], kind, shuffles))
    judged = [(pair, grade(*pair)) for pair in others]
    equal = [pair for pair, verdict in judged if verdict.correct]
    unlike = sorted({pair for pair in equal if spelled(pair.gold) != spelled(pair.answer or "")})
    alike = sum(spelled(pair.gold) == spelled(pair.answer or "") for pair in equal)
    given_up = sum(verdict.reason in UNJUDGED for _, verdict in judged)
    same = Counter(spelled(question.gold) for question in questions)
    expected = shuffles * sum(count**2 for count in same.values()) / len(questions)
    return Found(name, missed, len(questions), alike, unlike, len(others), expected, given_up)


def worked(question: Question) -> str:
    """The published solution, or a sentence with the answer where there is none."""
    answer = f"({question.gold})" if question.choices else question.gold
    return question.solution or f"The answer is {answer}."


def shuffled(golds: list[str], kind: str, times: int) -> Iterator[Pair]:
    draw = random.Random(0)
    for _ in range(times):
        yield from (Pair(gold, other, kind) for gold, other in zip(golds, draw.sample(golds, len(golds))))


def spelled(answer: str) -> str:
    return vote_key(answer)


def table(found: Iterable[Found]) -> str:
    lines = ["| benchmark | gold = gold | shuffled | equal by chance | spelled alike | spelled otherwise | given up |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    told: list[str] = []
    for one in found:
        right = f"{one.questions - len(one.missed):,} of {one.questions:,}"
        lines.append(
            f"| {one.name} | {right} ({100 * one.share:.1f} %) | {one.shuffled:,} | {one.expected:,.0f} "
            f"| {one.alike:,} | {len(one.unlike):,} | {one.unjudged:,} |"
        )
        told += [f"- {one.name}, missed: {json.dumps(pair[:2])} ({reason})" for pair, reason in one.missed]
        told += [f"- {one.name}, equal: {json.dumps(pair[:2])}" for pair in one.unlike]
    return "\n".join([*lines, "", *told])


if __name__ == "__main__":
    print(table(check(Path(sys.argv[1]), name) for name in FILES))

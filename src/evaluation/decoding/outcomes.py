"""What decodings come to: the chosen answers as predictions, the best that could have been chosen, the compute."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from src.core.records import content_id
from src.core.stage import Artifact, Tally
from src.evaluation.benchmark import Benchmark
from src.evaluation.decoding.base import Candidate, Decoded, Decoding, DecodingCompute
from src.evaluation.grading import Grader, vote_key
from src.evaluation.requests import Answer, PlannedQuestion, answers_of
from src.evaluation.results import GradedAnswer, grade_answers
from src.generation.base import Request
from src.modeling.shape import Shape

CANDIDATES = "candidates.jsonl"


@dataclass(frozen=True, slots=True)
class GradedDecoding:
    """graded: the answer of the decoding, or all candidates where every one counts. candidates: all of them, graded;
    chosen: which is the answer."""

    graded: GradedAnswer
    candidates: GradedAnswer
    decoded: Decoded
    chosen: int | None

    @property
    def solvable(self) -> bool:
        """Whether a candidate is right: the oracle's answer, pass@N."""
        return any(self.candidates.prediction.verdict)


def grade_decodings(
    label: str,
    plan: Sequence[PlannedQuestion],
    found: Sequence[Decoded],
    decoding: Decoding,
    benchmarks: Mapping[str, Benchmark],
    grader: Grader,
    tally: Tally,
) -> list[GradedDecoding]:
    """Grade all candidates, then let the decoding choose among them: it sees their answers, never the verdicts."""
    asked: list[PlannedQuestion] = []
    answers: dict[str, Answer] = {}
    for planned, decoded in zip(plan, found, strict=True):
        ids = [content_id(planned.requests[0].id, "candidate", n) for n in range(len(decoded.candidates))]
        asked.append(replace(planned, requests=tuple(Request(id, planned.prompt, 0) for id in ids)))
        answers |= dict(zip(ids, (candidate.answer for candidate in decoded.candidates), strict=True))
    graded = grade_answers(label, asked, answers, benchmarks, grader, tally)
    return [_chosen(decoding, candidates, decoded) for candidates, decoded in zip(graded, found, strict=True)]


def _chosen(decoding: Decoding, candidates: GradedAnswer, decoded: Decoded) -> GradedDecoding:
    extracted = candidates.prediction.extracted
    keys = [None if answer is None else vote_key(answer) for answer in extracted]
    i = decoding.choose(keys, decoded.candidates)
    if i is None:
        return GradedDecoding(candidates, candidates, decoded, None)
    p = candidates.prediction
    one = replace(p, samples=[p.samples[i]], extracted=[p.extracted[i]], verdict=[p.verdict[i]], reasons=[p.reasons[i]])
    graded = replace(
        candidates,
        prediction=one,
        tokens=(decoded.compute.generated,),
        seconds=(decoded.compute.seconds,),
        finished=(candidates.finished[i],),
    )
    return GradedDecoding(graded, candidates, decoded, i)


def compute_rows(
    found: Iterable[GradedDecoding], decoding: Decoding, model: Shape | None, reward: Shape | None
) -> list[dict[str, Any]]:
    """One row per benchmark: tokens and operations of all its questions, and the oracle's accuracy."""
    rows = []
    for benchmark, items in _by_benchmark(found).items():
        spent = [item.decoded.compute for item in items]
        total = DecodingCompute(
            sum(c.generated for c in spent), sum(c.prompt for c in spent), sum(c.scored for c in spent)
        )
        rows.append(
            {
                "model": items[0].graded.prediction.model,
                "benchmark": benchmark,
                "decoding": type(decoding).__name__,
                "samples": decoding.size,
                "questions": len(items),
                "candidates": sum(len(item.decoded.candidates) for item in items) / len(items),
                "oracle": _oracle(items),
                "cut_off": sum(item.decoded.cut_off for item in items),
                "limits": decoding.limits,
                "generated_tokens": total.generated,
                "prompt_tokens": total.prompt,
                "scored_tokens": total.scored,
                "flops": total.flops(model, reward),
            }
        )
    return rows


def with_oracle(rows: Sequence[dict[str, Any]], found: Iterable[GradedDecoding]) -> list[dict[str, Any]]:
    """Earlier rows of `compute_rows` with the oracle's accuracy of today."""
    groups = _by_benchmark(found)
    return [row | {"oracle": _oracle(groups[row["benchmark"]])} for row in rows]


def _by_benchmark(found: Iterable[GradedDecoding]) -> dict[str, list[GradedDecoding]]:
    groups: dict[str, list[GradedDecoding]] = defaultdict(list)
    for item in found:
        groups[item.graded.prediction.benchmark].append(item)
    return groups


def _oracle(items: Sequence[GradedDecoding]) -> float:
    return sum(item.solvable for item in items) / len(items)


def candidate_rows(found: Iterable[GradedDecoding]) -> Iterator[dict[str, Any]]:
    """One row per question: its candidates with their values and verdicts, and the nodes of its trees."""
    for item in found:
        p = item.candidates.prediction
        given = zip(item.decoded.candidates, p.extracted, p.verdict, strict=True)
        yield {
            "id": p.id,
            "question": p.prompt,
            "gold": p.gold,
            "chosen": item.chosen,
            "candidates": [
                {
                    "tree": c.tree,
                    "path": c.path,
                    "value": c.value,
                    "answer": answer,
                    "correct": correct,
                    "text": c.answer.text,
                    "finish_reason": c.answer.finish_reason,
                }
                for c, answer, correct in given
            ],
            "nodes": item.decoded.nodes,
        }


def read_decoded(
    evaluation: Artifact,
    label: str,
    plan: Sequence[PlannedQuestion],
    answers: Mapping[str, Answer],
    decoding: Decoding,
) -> list[Decoded]:
    """What an earlier evaluation found, of each question all candidates where there was a choice.

    answers: those that it chose. decoding: how it chose.
    """
    path = evaluation.path / CANDIDATES
    rows: dict[str, dict[str, Any]] = {}
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            rows = {row["id"]: row for row in map(json.loads, lines)}
    found = []
    for planned in plan:
        written = list(answers_of(planned, answers))
        compute = DecodingCompute(sum(answer.tokens for answer in written), seconds=sum(a.seconds for a in written))
        row = rows.get(content_id(label, planned.benchmark, planned.question.id))
        if row is None:
            candidates = tuple(Candidate(answer, tree=number) for number, answer in enumerate(written))
        else:
            ends = {row["chosen"]: written[0].finish_reason}  # all that files tell that have no ends of candidates
            candidates = tuple(
                _read_candidate(each, ends.get(n, "stop"), decoding) for n, each in enumerate(row["candidates"])
            )
        found.append(Decoded(candidates, compute, tuple(row["nodes"]) if row else ()))
    return found


def _read_candidate(row: Mapping[str, Any], end: str, decoding: Decoding) -> Candidate:
    answer = Answer(row["text"], row.get("finish_reason", end), 0)
    path = tuple(row["path"])
    return Candidate(answer, row["value"], decoding.rank(path, row["value"]), row["tree"], path)

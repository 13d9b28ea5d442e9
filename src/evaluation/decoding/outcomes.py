"""What decodings come to: the chosen answers as predictions, the best that could have been chosen, the compute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from src.core.records import content_id
from src.core.stage import Tally
from src.evaluation.benchmark import Benchmark
from src.evaluation.decoding.base import Decoded, Decoding, DecodingCompute
from src.evaluation.grading import Grader, vote_key
from src.evaluation.requests import Answer, PlannedQuestion
from src.evaluation.results import GradedAnswer, grade_answers
from src.generation.base import Request
from src.modeling.shape import Shape


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
    groups: dict[str, list[GradedDecoding]] = defaultdict(list)
    for item in found:
        groups[item.graded.prediction.benchmark].append(item)
    rows = []
    for benchmark, items in groups.items():
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
                "oracle": sum(item.solvable for item in items) / len(items),
                "generated_tokens": total.generated,
                "prompt_tokens": total.prompt,
                "scored_tokens": total.scored,
                "flops": total.flops(model, reward),
            }
        )
    return rows


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
                }
                for c, answer, correct in given
            ],
            "nodes": item.decoded.nodes,
        }

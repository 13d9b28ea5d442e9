"""From answers to predictions, and from predictions to accuracies by benchmark and group."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from src.core.errors import UserError
from src.core.intervals import accuracy_of
from src.core.records import Prediction, content_id, seed_from
from src.core.stage import Artifact, Tally
from src.evaluation.benchmark import Benchmark
from src.evaluation.grading import UNJUDGED, Grader, Pair, Verdict, grade, vote_key
from src.evaluation.metrics import majority, pass_at_k, seed_interval
from src.evaluation.programs import extract_from_run
from src.evaluation.prompting import Prompting, Style
from src.evaluation.question import LETTERS, Question
from src.evaluation.requests import Answer, PlannedQuestion, answers_of
from src.generation.base import Request
from src.text.answers import AnswerType, extract_answer

SHOWN = 3  # right and wrong samples shown per model and benchmark
SHOWN_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """A prediction with what the tables need besides: its benchmark's subject, and each sample's cost and end."""

    prediction: Prediction
    subject: str
    tokens: tuple[int, ...]
    seconds: tuple[float, ...]
    finished: tuple[bool, ...]


def grade_answers(
    label: str,
    plan: Sequence[PlannedQuestion],
    answers: Mapping[str, Answer],
    benchmarks: Mapping[str, Benchmark],
    grader: Grader,
    tally: Tally,
) -> list[GradedAnswer]:
    """Extract and grade every sample. In the tally a sample is kept, or failed: never answered, or never graded."""
    readings = [_read(planned, answers, benchmarks[planned.benchmark].answer_type) for planned in plan]
    kinds = [benchmarks[planned.benchmark].answer_type for planned in plan]
    pairs = [
        Pair(planned.question.gold, answer, kind)
        for planned, kind, extracted in zip(plan, kinds, readings)
        for answer in extracted
    ]
    verdicts = iter(grader.grade_all(pairs))
    graded = []
    for planned, extracted in zip(plan, readings):
        written = list(answers_of(planned, answers))
        given = list(islice(verdicts, len(written)))
        graded.append(_graded(label, planned, written, extracted, [_with_error(a, v) for a, v in zip(written, given)]))
        _count(graded[-1].prediction, tally)
    return graded


def _read(planned: PlannedQuestion, answers: Mapping[str, Answer], kind: AnswerType) -> list[str | None]:
    """The extracted answers; for choices, an answer that repeats one choice's text counts as its letter."""
    read = extract_from_run if planned.way.programs else extract_answer
    extracted = (read(answer.text, kind) for answer in answers_of(planned, answers))
    return [_as_letter(answer, planned.question) if kind == "choice" else answer for answer in extracted]


def _as_letter(answer: str | None, question: Question) -> str | None:
    if answer is None or answer in LETTERS:
        return answer
    same = (grade(choice, answer).correct for choice in question.choices or ())
    return next((letter for letter, correct in zip(LETTERS, same) if correct), answer)


def _with_error(answer: Answer, verdict: Verdict) -> Verdict:
    return Verdict(False, "error") if answer.finish_reason == "error" else verdict


def _graded(
    label: str, planned: PlannedQuestion, written: list[Answer], extracted: list[str | None], verdicts: list[Verdict]
) -> GradedAnswer:
    prediction = Prediction(
        id=content_id(label, planned.benchmark, planned.question.id),
        model=label,
        benchmark=planned.benchmark,
        question_id=planned.question.id,
        stage=planned.question.stage,
        prompt=planned.prompt,
        gold=planned.question.gold,
        samples=[answer.text for answer in written],
        extracted=extracted,
        verdict=[verdict.correct for verdict in verdicts],
        reasons=[verdict.reason for verdict in verdicts],
    )
    return GradedAnswer(
        prediction,
        planned.question.subject,
        tuple(answer.tokens for answer in written),
        tuple(answer.seconds for answer in written),
        tuple(answer.finish_reason == "stop" for answer in written),
    )


def costs(graded: Iterable[GradedAnswer]) -> Iterator[dict[str, Any]]:
    """One row per question: what its samples cost, in their order, and whether each came to its end."""
    for item in graded:
        row = {"tokens": item.tokens, "seconds": item.seconds, "finished": item.finished}
        yield {"id": item.prediction.id, **row}


def read_answers(
    evaluation: Artifact,
    questions: Mapping[str, Sequence[Question]],
    benchmarks: Mapping[str, Benchmark],
    style: Style,
) -> tuple[list[PlannedQuestion], dict[str, Answer]]:
    """What `grade_answers` wants, from the files of an earlier evaluation.

    Raises UserError where a benchmark no longer has a question that was asked.
    """
    known = {(name, question.id): question for name, some in questions.items() for question in some}
    with (evaluation.path / "costs.jsonl").open(encoding="utf-8") as lines:
        cost = {row["id"]: row for row in map(json.loads, lines)}
    plan, answers = [], {}
    for p in evaluation.table("predictions", Prediction):
        if (question := known.get((p.benchmark, p.question_id))) is None:
            raise UserError(f"The benchmark '{p.benchmark}' no longer has the question {p.question_id}.", "Ask anew.")
        ids = [content_id(p.id, sample) for sample in range(len(p.samples))]
        programs = int((benchmarks[p.benchmark].style or style) in ("program", "tool"))
        way = Prompting(lambda _, prompt=p.prompt: prompt, programs=programs)  # type: ignore[misc]
        plan.append(
            PlannedQuestion(p.benchmark, question, p.prompt, tuple(Request(id, p.prompt, 0) for id in ids), way)
        )
        costs = zip(*(cost[p.id][name] for name in ("tokens", "seconds", "finished")), strict=True)
        for id, text, reason, (tokens, seconds, finished) in zip(ids, p.samples, p.reasons, costs, strict=True):
            end = "error" if reason == "error" else "stop" if finished else "length"
            answers[id] = Answer(text, end, tokens, seconds)
    return plan, answers


def _count(prediction: Prediction, tally: Tally) -> None:
    for reason in prediction.reasons:
        tally.enter()
        if reason == "error" or reason in UNJUDGED:
            tally.fail("the model gave no answer" if reason == "error" else f"grader: {reason}")
        else:
            tally.keep()


def accuracies(graded: Iterable[GradedAnswer]) -> list[dict[str, Any]]:
    """One row per model, benchmark and group: "all", then "stage:..." and "subject:..." where there are any."""
    groups: dict[tuple[str, str, str], list[GradedAnswer]] = defaultdict(list)
    for item in graded:
        prediction = item.prediction
        names = ["all", f"stage:{prediction.stage}", f"subject:{item.subject}"]
        for name in names:
            if not name.endswith(":"):
                groups[prediction.model, prediction.benchmark, name].append(item)
    return [
        {"model": model, "benchmark": benchmark, "group": group, **_measure(items, (benchmark, group))}
        for (model, benchmark, group), items in groups.items()
    ]


def _measure(items: Sequence[GradedAnswer], name: tuple[str, ...]) -> dict[str, Any]:
    """The figures of one group. Accuracy is the mean over samples (pass@1); a time-out counts as wrong and is shown."""
    scores = [sum(item.prediction.verdict) / len(item.prediction.verdict) for item in items]
    estimate = accuracy_of(scores)
    samples = len(items[0].prediction.verdict)
    tokens = [count for item in items for count in item.tokens]
    reasons = [reason for item in items for reason in item.prediction.reasons]
    return {
        "n": len(items),
        "samples": samples,
        "accuracy": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "mean_tokens": sum(tokens) / len(tokens),
        "finished": sum(flag for item in items for flag in item.finished) / len(tokens),
        "unanswered": reasons.count("no answer") / len(reasons),
        "timeouts": sum(reasons.count(reason) for reason in UNJUDGED),
        **(_many_samples(items, samples, name) if samples > 1 else {}),
    }


def _many_samples(items: Sequence[GradedAnswer], samples: int, name: tuple[str, ...]) -> dict[str, float]:
    """What several samples allow besides: the interval over other draws, pass@k, and maj@k of the first k samples."""
    rights = [sum(item.prediction.verdict) for item in items]
    low, high = seed_interval(rights, samples, seed=seed_from(*name))
    found = {"low_over_seeds": low, "high_over_seeds": high}
    for k in sorted({*(2**i for i in range(1, samples.bit_length())), samples}):
        found[f"pass@{k}"] = sum(pass_at_k(samples, right, k) for right in rights) / len(rights)
        found[f"maj@{k}"] = sum(_majority_right(item.prediction, k) for item in items) / len(items)
    return found


def _majority_right(prediction: Prediction, k: int) -> bool:
    winner = majority([None if answer is None else vote_key(answer) for answer in prediction.extracted[:k]])
    return winner is not None and prediction.verdict[winner]


def speeds(graded: Iterable[GradedAnswer]) -> list[dict[str, Any]]:
    """One row per model and benchmark: what a question cost, while the engine wrote the answers of all benchmarks."""
    groups: dict[tuple[str, str], list[GradedAnswer]] = defaultdict(list)
    for item in graded:
        groups[item.prediction.model, item.prediction.benchmark].append(item)
    return [
        {
            "model": model,
            "benchmark": benchmark,
            "questions": len(items),
            "seconds_per_question": sum(sum(item.seconds) for item in items) / len(items),
            "tokens_per_question": sum(sum(item.tokens) for item in items) / len(items),
        }
        for (model, benchmark), items in groups.items()
    ]


def shown_samples(graded: Iterable[GradedAnswer]) -> Iterator[dict[str, Any]]:
    """The first few right and wrong answers per model and benchmark, for people."""
    shown: dict[tuple[str, str, bool], int] = defaultdict(int)
    for item in graded:
        prediction = item.prediction
        key = (prediction.model, prediction.benchmark, prediction.verdict[0])
        shown[key] += 1
        if shown[key] <= SHOWN:
            yield {
                "model": prediction.model,
                "benchmark": prediction.benchmark,
                "stage": prediction.stage,
                "correct": prediction.verdict[0],
                "reason": prediction.reasons[0],
                "gold": prediction.gold,
                "extracted": prediction.extracted[0],
                "prompt": prediction.prompt[-SHOWN_CHARS:],
                "text": prediction.samples[0][:SHOWN_CHARS],
            }

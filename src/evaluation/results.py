"""From answers to predictions, and from predictions to accuracies by benchmark and group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from src.core.records import Prediction, content_id, seed_from
from src.core.stage import Tally
from src.evaluation.asking import Answer, Asked, answers_of
from src.evaluation.benchmark import LETTERS, Benchmark
from src.evaluation.grading import UNJUDGED, Grader, Pair, Verdict, grade, vote_key
from src.evaluation.metrics import majority, mean_with_interval, pass_at_k, seed_interval
from src.evaluation.programs import extract_from_run
from src.evaluation.question import Question
from src.text.answers import AnswerType, extract_answer

SHOWN = 3  # right and wrong samples shown per model and benchmark
SHOWN_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Judged:
    """A prediction with what the tables need besides: its benchmark's subject, and each sample's cost and end."""

    prediction: Prediction
    subject: str
    tokens: tuple[int, ...]
    seconds: tuple[float, ...]
    finished: tuple[bool, ...]


def judge(
    label: str,
    plan: Sequence[Asked],
    answers: Mapping[str, Answer],
    benchmarks: Mapping[str, Benchmark],
    grader: Grader,
    tally: Tally,
) -> list[Judged]:
    """Extract and grade every sample. In the tally a sample is kept, or failed: never answered, or never judged."""
    readings = [_read(asked, answers, benchmarks[asked.benchmark].answer_type) for asked in plan]
    kinds = [benchmarks[asked.benchmark].answer_type for asked in plan]
    pairs = [
        Pair(asked.question.gold, answer, kind)
        for asked, kind, extracted in zip(plan, kinds, readings)
        for answer in extracted
    ]
    verdicts = iter(grader.grade_all(pairs))
    judged = []
    for asked, extracted in zip(plan, readings):
        written = list(answers_of(asked, answers))
        given = list(islice(verdicts, len(written)))
        judged.append(_judged(label, asked, written, extracted, [_with_error(a, v) for a, v in zip(written, given)]))
        _count(judged[-1].prediction, tally)
    return judged


def _read(asked: Asked, answers: Mapping[str, Answer], kind: AnswerType) -> list[str | None]:
    """The extracted answers; for choices, an answer that repeats one choice's text counts as its letter."""
    read = extract_from_run if asked.way.programs else extract_answer
    extracted = (read(answer.text, kind) for answer in answers_of(asked, answers))
    return [_as_letter(answer, asked.question) if kind == "choice" else answer for answer in extracted]


def _as_letter(answer: str | None, question: Question) -> str | None:
    if answer is None or answer in LETTERS:
        return answer
    same = (grade(choice, answer).correct for choice in question.choices or ())
    return next((letter for letter, correct in zip(LETTERS, same) if correct), answer)


def _with_error(answer: Answer, verdict: Verdict) -> Verdict:
    return Verdict(False, "error") if answer.finish_reason == "error" else verdict


def _judged(
    label: str, asked: Asked, written: list[Answer], extracted: list[str | None], verdicts: list[Verdict]
) -> Judged:
    prediction = Prediction(
        id=content_id(label, asked.benchmark, asked.question.id),
        model=label,
        benchmark=asked.benchmark,
        question_id=asked.question.id,
        stage=asked.question.stage,
        prompt=asked.prompt,
        gold=asked.question.gold,
        samples=[answer.text for answer in written],
        extracted=extracted,
        verdict=[verdict.correct for verdict in verdicts],
        reasons=[verdict.reason for verdict in verdicts],
    )
    return Judged(
        prediction,
        asked.question.subject,
        tuple(answer.tokens for answer in written),
        tuple(answer.seconds for answer in written),
        tuple(answer.finish_reason == "stop" for answer in written),
    )


def _count(prediction: Prediction, tally: Tally) -> None:
    for reason in prediction.reasons:
        tally.enter()
        if reason == "error" or reason in UNJUDGED:
            tally.fail("the model gave no answer" if reason == "error" else f"grader: {reason}")
        else:
            tally.keep()


def accuracies(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """One row per model, benchmark and group: "all", then "stage:..." and "subject:..." where there are any."""
    groups: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for item in judged:
        prediction = item.prediction
        names = ["all", f"stage:{prediction.stage}", f"subject:{item.subject}"]
        for name in names:
            if not name.endswith(":"):
                groups[prediction.model, prediction.benchmark, name].append(item)
    return [
        {"model": model, "benchmark": benchmark, "group": group, **_measure(items, (benchmark, group))}
        for (model, benchmark, group), items in groups.items()
    ]


def _measure(items: Sequence[Judged], name: tuple[str, ...]) -> dict[str, Any]:
    """The figures of one group. Accuracy is the mean over samples (pass@1); a time-out counts as wrong and is shown."""
    scores = [sum(item.prediction.verdict) / len(item.prediction.verdict) for item in items]
    estimate = mean_with_interval(scores, seed=seed_from(*name))
    samples = len(items[0].prediction.verdict)
    tokens = [count for item in items for count in item.tokens]
    reasons = [reason for item in items for reason in item.prediction.reasons]
    return {
        "n": len(items),
        "samples": samples,
        "accuracy": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "mean_tokens": sum(tokens) / len(tokens),
        "finished": sum(flag for item in items for flag in item.finished) / len(tokens),
        "unanswered": reasons.count("no answer") / len(reasons),
        "timeouts": sum(reasons.count(reason) for reason in UNJUDGED),
        **(_many_samples(items, samples, name) if samples > 1 else {}),
    }


def _many_samples(items: Sequence[Judged], samples: int, name: tuple[str, ...]) -> dict[str, float]:
    """What several samples allow besides: the interval over other draws, pass@k, and maj@k of the first k samples."""
    rights = [sum(item.prediction.verdict) for item in items]
    drawn = seed_interval(rights, samples, seed=seed_from(*name))
    found = {"low_over_seeds": drawn.low, "high_over_seeds": drawn.high}
    for k in sorted({*(2**i for i in range(1, samples.bit_length())), samples}):
        found[f"pass@{k}"] = sum(pass_at_k(samples, right, k) for right in rights) / len(rights)
        found[f"maj@{k}"] = sum(_majority_right(item.prediction, k) for item in items) / len(items)
    return found


def _majority_right(prediction: Prediction, k: int) -> bool:
    winner = majority([None if answer is None else vote_key(answer) for answer in prediction.extracted[:k]])
    return winner is not None and prediction.verdict[winner]


def speeds(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """One row per model and benchmark: what a question cost, while the engine wrote the answers of all benchmarks."""
    groups: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for item in judged:
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


def shown_samples(judged: Iterable[Judged]) -> Iterator[dict[str, Any]]:
    """The first few right and wrong answers per model and benchmark, for people."""
    shown: dict[tuple[str, str, bool], int] = defaultdict(int)
    for item in judged:
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

"""The file of hard pairs beside this test: is the answer right, given the gold answer?"""

import json
from pathlib import Path

import pytest

from src.evaluation.grading import grade
from src.text.answers import extract_answer

OURS = [json.loads(line) for line in Path(__file__).with_name("pairs.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("pair", OURS, ids=lambda pair: f"{pair['gold']} | {pair['answer']}")
def test_a_hard_pair(pair):
    assert grade(pair["gold"], pair["answer"]).correct is pair["correct"]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_public_pairs(shared_data):
    """No wrong answer is called right, and three in a hundred right ones wrong at most."""
    pairs = rows(shared_data / "grading" / "pairs.jsonl")
    graded = [(pair, grade(pair["gold"], pair["answer"], pair["type"]).correct) for pair in pairs]
    assert [pair for pair, correct in graded if correct and not pair["correct"]] == []
    missed = [pair for pair, correct in graded if pair["correct"] and not correct]
    assert len(missed) <= 0.03 * sum(pair["correct"] for pair in pairs), missed


def test_public_extractions(shared_data):
    cases = rows(shared_data / "grading" / "extraction.jsonl")
    wrong = []
    for case in cases:
        answer = extract_answer(case["text"], case["type"])
        right = answer is None if case["gold"] is None else grade(case["gold"], answer, case["type"]).correct
        if right is not case["correct"]:
            wrong.append((case, answer))
    assert len(wrong) <= 0.03 * len(cases), wrong

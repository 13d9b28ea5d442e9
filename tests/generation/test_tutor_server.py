"""The server on loopback understands the prompts as the stages write them."""

from src.generation.procedural.families import families_of
from src.generation.procedural.family import Family
from src.generation.procedural.topics import key_points_of, topics_of
from src.keypoints.asking import (
    Demonstration,
    answer_prompt,
    compose_prompt,
    label_prompt,
    rate_prompt,
    read_labels,
    read_question,
    read_rating,
)
from src.text.boxed import last_boxed
from src.theorems.rating import grade_prompt, read_grade
from tests.generation.procedural.test_tutor import needed, told
from tests.generation.tutor_server import say, task_of

FAMILY: Family = families_of("grade_school", "seen")[0]
PROBLEM, SEEDS = told(FAMILY), range(20)
SETS = [Demonstration(topic.name, key_points_of(FAMILY, topic), "How many?", "Two.") for topic in topics_of(FAMILY)[:2]]
POINTS = sorted(needed(FAMILY))


def most(texts):
    """What is said most often: the server slips now and then."""
    return max(set(texts), key=texts.count)


def test_a_problem_is_labelled():
    prompt = label_prompt(PROBLEM.question, PROBLEM.solution)
    assert task_of(prompt) == "key_points"
    assert len(read_labels(say(prompt, 0))) == len(topics_of(FAMILY))


def test_a_question_is_written_for_what_is_selected():
    prompt = compose_prompt(SETS, POINTS)
    assert task_of(prompt) == "question"
    assert all(read_question(say(prompt, seed)) for seed in SEEDS)


def test_a_good_question_is_rated_well_and_another_is_not():
    good, bad = rate_prompt(PROBLEM.question, POINTS), rate_prompt("Why?", POINTS)
    assert task_of(good) == "rating"
    kept = [[min(read_rating(say(prompt, seed))) >= 0.85 for seed in SEEDS] for prompt in (good, bad)]
    assert [most(each) for each in kept] == [True, False]


def test_a_statement_worth_a_proof_is_graded_well_and_a_trivial_one_is_not():
    good, bad = (grade_prompt("rocq", f"forall x : Z, 2 * x = 8 -> x = {n}") for n in ("4", "x"))
    assert task_of(good) == "statement_rating"
    kept = [[read_grade(say(prompt, seed)) in ("good", "excellent") for seed in SEEDS] for prompt in (good, bad)]
    assert [most(each) for each in kept] == [True, False]


def test_a_question_is_solved():
    prompt = answer_prompt(PROBLEM.question, SETS)
    assert task_of(prompt) == "answer"
    assert most([last_boxed(say(prompt, seed)) for seed in SEEDS]) == PROBLEM.answer

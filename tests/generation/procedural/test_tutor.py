"""The offline teacher at key-point-driven synthesis: it reads what it is asked, and errs as often as it is told to."""

from pathlib import Path
from random import Random

import pytest

from src.core.errors import UserError
from src.generation.base import Request
from src.generation.procedural.families import FAMILIES, families_of
from src.generation.procedural.generator import ProceduralGenerator
from src.generation.procedural.recognition import recognise
from src.generation.procedural.size import Size
from src.generation.procedural.topics import TOPICS, key_points_of, topics_of
from src.keypoints.asking import read_labels, read_question, read_rating
from src.text.arithmetic import check_arithmetic
from src.text.boxed import last_boxed

SEEN = [family for family in FAMILIES if family.split == "seen"]
CORNER = Size(families=3, numbers=0.35)
SLOW = {"add_two_equations", "remainder_theorem", "derivative_at_a_point"}  # seconds of trying numbers that are hidden


def told(family, seed=0):
    rng = Random(seed)
    return family.tell(family.draw(rng, "train"), rng, stage=family.stages[0], kind="cot", cast="training")


def asked(task, ids=range(1), slip_rate=0.0, **context):
    """The texts for requests that differ in their ids."""
    about = {"task": task, "stage": "grade_school", "kind": "cot", **context}
    teacher = ProceduralGenerator(slip_rate=slip_rate, size=CORNER)
    with teacher.open(None, Path("unused")) as session:
        return [done.text for done in session.stream(Request(f"r{n}", "", n, context=about) for n in ids)]


@pytest.mark.parametrize("family", [f for f in SEEN if f.name not in SLOW], ids=lambda family: family.name)
def test_a_question_is_traced_back_to_its_numbers(family):
    problem = told(family)
    known = recognise(problem.question)
    assert known is not None and known.family.name == family.name
    solution = known.family.work_out(known.story, known.values, "cot", known.values["answer"])
    assert last_boxed(solution) == problem.answer


def test_a_question_with_an_empty_gap_is_recognised():
    family = next(family for family in SEEN if family.name == "committee_with_a_girl")
    questions = {told(family, seed).question for seed in range(40)}
    without_head = [question for question in questions if "head" not in question]
    assert without_head and len(without_head) < len(questions)
    assert all(recognise(question) is not None for question in questions)


@pytest.mark.parametrize("question", ["", "How many?", "Tom has 3 apples. He finds 4 more and then gives 90 to Anna."])
def test_what_no_family_tells_is_not_recognised(question):
    assert recognise(question) is None


def test_every_family_has_topics_and_every_topic_a_family():
    assert {topic.name for family in SEEN for topic in topics_of(family)} == {topic.name for topic in TOPICS}
    assert all(1 <= len(topics_of(family)) <= 4 for family in SEEN)
    assert all(len(key_points_of(f, t)) >= 2 for f in SEEN for t in topics_of(f))
    names = [name for topic in TOPICS for name in topic.names]
    assert len(set(names)) == len(names) and all(" - " in name for name in names)


def test_labels_are_the_familys_topics_under_one_of_their_names():
    problem = told(SEEN[0])
    for text in asked("key_points", range(5), question=problem.question):
        labels = read_labels(text)
        assert [sorted(points) for points in labels.values()] == [
            sorted(key_points_of(SEEN[0], topic)) for topic in topics_of(SEEN[0])
        ]
        assert all(name in topic.names for name, topic in zip(labels, topics_of(SEEN[0]), strict=True))


def test_a_question_of_somebody_else_is_labelled_by_its_words():
    (text,) = asked("key_points", question="What is the probability that a fair die shows a prime?")
    assert set(read_labels(text)) & set(next(t.names for t in TOPICS if "probability" in t.keywords))


def test_a_question_is_written_for_topics_that_go_together():
    topics = {topic.name for topic in topics_of(SEEN[0])}
    for text in asked("question", range(20), selected="\n".join(topics)):
        known = recognise(read_question(text))
        assert {t.name for t in topics_of(known.family)} >= topics


def test_a_question_is_written_for_key_points_rather_than_for_their_topics():
    points = needed(SEEN[0])
    for text in asked("question", range(20), selected="\n".join(points)):
        assert needed(recognise(read_question(text)).family) >= points


def needed(family):
    return {point for topic in topics_of(family) for point in key_points_of(family, topic)}


def test_a_rater_finds_what_is_missing_and_what_is_broken():
    problem = told(SEEN[0])
    good = needed(SEEN[0])
    bad = {point for topic in TOPICS for point in topic.key_points} - good
    for points, question, marks in (
        (good, problem.question, (True, True)),
        (bad, problem.question, (False, True)),
        (good, problem.question[:40], (None, False)),
    ):
        for text in asked("rating", range(9), question=question, key_points="\n".join(points)):
            scores = read_rating(text)
            assert all(m is None or (score >= 0.85) == m for m, score in zip(marks, scores, strict=True))


def test_it_solves_what_it_reads():
    for family in families_of("middle_school", "seen")[:3]:
        problem = told(family)
        assert {last_boxed(text) for text in asked("answer", range(5), question=problem.question)} == {problem.answer}
    assert last_boxed(asked("answer", question="What is the meaning of life?")[0]) is None


def test_slips_are_as_frequent_as_asked_for_and_half_of_them_show_in_the_arithmetic():
    problem = told(families_of("grade_school", "seen")[0])
    texts = asked("answer", range(1000), slip_rate=0.3, question=problem.question)
    wrong = [text for text in texts if last_boxed(text) != problem.answer]
    shown = [text for text in wrong if check_arithmetic(text).wrong]
    assert 240 < len(wrong) < 340
    assert 0.35 < len(shown) / len(wrong) < 0.65
    assert not any(check_arithmetic(text).wrong for text in texts if text not in wrong)


def test_questions_with_slips_are_mostly_unsolvable_or_off_topic():
    topics = [topic.name for topic in topics_of(SEEN[0])]
    questions = [read_question(text) for text in asked("question", range(300), 0.3, selected="\n".join(topics))]
    off = sum(
        known is None or not {t.name for t in topics_of(known.family)} >= set(topics)
        for known in map(recognise, questions)
    )
    assert 50 < off < 120


def test_the_same_request_gets_the_same_text_and_an_unknown_task_is_refused():
    topic = "Arithmetic - Addition"
    assert asked("question", range(5), 0.5, selected=topic) == asked("question", range(5), 0.5, selected=topic)
    with pytest.raises(UserError, match="task='essay'"):
        asked("essay")

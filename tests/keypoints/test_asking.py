import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.keypoints.asking import (
    Demonstration,
    answer_prompt,
    compose_prompt,
    label_prompt,
    rate_prompt,
    read_labels,
    read_question,
    read_rating,
    write_labels,
    write_rating,
)

SETS = [
    Demonstration(
        "Geometry - Circles", ["Radius from an equation", "Area"], "What is the area?", "It is $\\boxed{4}$."
    ),
    Demonstration("Algebra - Roots", ["Area", "Vieta"], "What is the sum?", "It is $\\boxed{5}$."),
]
WORDS = st.text("abc XYZ", min_size=1).map(str.strip).filter(bool)


@given(st.dictionaries(WORDS, st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_labels_that_are_written_are_read_back_each_point_once(labels):
    seen, expected = set(), {}
    for topic, points in labels.items():
        for point in points:
            if point.lower() not in seen:
                seen.add(point.lower())
                expected.setdefault(topic, []).append(point)
    assert read_labels(write_labels(labels)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Topic: Geometry - Circles\n- the centre\n- the radius\nTopic: Others - Story\n- money",
        "Sure!\n\n**Topic: Geometry - Circles**\n* the centre\n* the radius\n\n**Topic: Others - Story**\n* money\n",
        "## Topic 1: Geometry - Circles\n1. the centre\n2. the radius\n## Topic 2: Others - Story\n1) money",
        "Topic: Geometry - Circles\nKey points:\n- the centre\n- the radius\n- The centre\n\nTopic: Others - Story\n"
        " - money",
        "- Topic: Geometry - Circles\n  - the centre\n  - the radius\n- Topic: Others - Story\n  - money",
        "• **Topic 1：Geometry - Circles**\n\t◦ the centre\n\t◦ the radius\n• **Topic 2：Others - Story**\n\t– money",
        "Topic: Geometry - Circles\n- Key point 1: the centre\n- **Key point 2:** the radius\n"
        "Topic: Others - Story\n- Key points:\n  - money",
        "Topic: Geometry - Circles\n- **Key points**\n  - the centre\n  - the radius\nTopic: Others - Story\n- money",
    ],
)
def test_labels_are_read_as_models_dress_them(text):
    assert read_labels(text) == {"Geometry - Circles": ["the centre", "the radius"], "Others - Story": ["money"]}


def test_a_key_point_keeps_its_words_without_their_emphasis():
    text = "Topic: Geometry\n- **Pythagoras**: a^2 + b^2 = c^2\n- Key points of a circle\n- 2**3 is 8"
    assert read_labels(text) == {"Geometry": ["Pythagoras: a^2 + b^2 = c^2", "Key points of a circle", "2**3 is 8"]}


@pytest.mark.parametrize("text", ["", "It is about circles.", "Topic: Circles", "- the radius"])
def test_no_labels_are_made_up(text):
    assert read_labels(text) == {}


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("<Q> How many? </Q>", "How many?"),
        ("First <Q>a draft</Q>, then\n<q>How\nmany?</q> Done.", "How\nmany?"),
        ("<Q> <Q> How many? </Q>", "How many?"),
        ("How many?", None),
        ("<Q> How many?", None),
        ("<Q>  </Q>", None),
    ],
)
def test_a_question_stands_between_its_tags(text, question):
    assert read_question(text) == question


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Key points: 0.9\nSoundness: 0.85", (0.9, 0.85)),
        ("**Key points:** 1\n**Soundness**: 0", (1.0, 0.0)),
        ("Key Points : 1.0, Soundness : .5", (1.0, 0.5)),
        ("Key points: 0.2 at first. Key points: 0.4\nSoundness: 1", (0.4, 1.0)),
        ("Key points: 0.9", None),
        ("Key points: 9\nSoundness: 0.5", None),
        ("Key points: 1.5\nSoundness: 0.5", None),
        ("Key points: 0.9\nSoundness: 1/10", None),
        ("Key points: good\nSoundness: 0.5", None),
        ("Key points: 0,9\nSoundness: 0,85", (0.9, 0.85)),  # as in half of Europe
        ("Key points: 0.9/1\nSoundness: 1.0 / 1.0", (0.9, 1.0)),
        ("Key points: 1 out of 10\nSoundness: 1", None),
        ("Key points: 1e-3\nSoundness: 1", None),
        ("Key points: 90%\nSoundness: 1", None),
        ('{"key_points": 0.9, "soundness": 0.95}', (0.9, 0.95)),
        ("Key points (0-1): `0.9`\nSoundness score: **1**", (0.9, 1.0)),
        ("Key points:\n0.9\n\nSoundness:\n**1.0**\n", (0.9, 1.0)),
        ("Key points: 0.3\nSoundness: 0.8\n\nKey points:\n1. The radius is not needed.", (0.3, 0.8)),
    ],
)
def test_a_rating_is_two_numbers_between_0_and_1(text, scores):
    assert read_rating(text) == scores


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_rating_that_is_written_is_read_back(first, second):
    assert read_rating(write_rating(first, second)) == pytest.approx((first, second), abs=0.0051)


def test_prompts_say_what_they_are_about():
    assert "Problem: How many?\n\nSolution: Two." in label_prompt("How many?", "Two.")
    composed = compose_prompt(SETS, ["Radius from an equation", "Area", "Vieta"])
    assert "Below are 2 sets" in composed and "\n- Radius from an equation\n- Area\n- Vieta\n" in composed
    assert "boxed" not in composed  # the practices' solutions are no part of it
    topics_alone = compose_prompt(SETS, ["Geometry - Circles", "Algebra - Roots"], with_key_points=False)
    assert "\n- Geometry - Circles\n- Algebra - Roots\n" in topics_alone and "Vieta" not in topics_alone
    assert "- Area\n- Vieta\nSoundness" in rate_prompt("How many?", ["Area", "Vieta"])
    solved = answer_prompt("How many?", SETS)
    assert solved.index("\\boxed{4}") < solved.index("\\boxed{5}") < solved.index("Problem: How many?")


def test_braces_in_a_problem_are_left_alone():
    assert r"\frac{1}{2}" in label_prompt(r"What is \frac{1}{2}?", "{}")
    assert r"\frac{1}{2}" in answer_prompt(r"What is \frac{1}{2}?", SETS)

"""Which of the rows that ask the same thing stay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.cleaning.duplicates import REASONS, Duplicates
from src.cleaning.features import Shelf, features_of
from src.core.records import content_id
from src.text.minhash import Sketcher
from src.text.shingles import words_of
from src.text.spelling import comparison_key

BASE = "A farmer has 12 cows and 7 goats on the green hill and sells 5 of the cows to a friend in the old town"


def features(questions, tool=None):
    ids = [content_id(question) for question in questions]
    words = words_of([comparison_key(question) for question in questions])
    return features_of(ids, ids, questions, words, tool or [False] * len(ids), Sketcher().sketch(words), families=True)


def judged(questions, folder, known=(), **options):
    """Reason by question, "" for those that stay."""
    folders = []
    for name, texts in (("rows", questions), ("known", list(known))):
        (folder / name).mkdir(parents=True)
        features(texts).save(folder / name)
        folders.append(folder / name)
    fates = Duplicates(**options).judge(Shelf(folders, folder), len(known))
    return {q: REASONS[fate] for q, fate in zip(questions, fates.fate.tolist(), strict=False)}


def test_the_same_words_with_the_same_numbers_are_near(tmp_path):
    reworded, renumbered = BASE.replace("town", "barn"), BASE.replace("12", "19")
    found = judged([BASE, reworded, renumbered, "What is 3 + 5?"], tmp_path)
    assert sorted(found.values()) == ["", "", "", "near-duplicate question"]
    assert found[renumbered] == found["What is 3 + 5?"] == ""


GROUPED = [
    ("What is 5! + 3?", "What is 5 + 3?"),
    ("Compute (2 + 3) * 4.", "Compute 2 + (3 * 4)."),
    (
        r"Let x be real and positive. Solve $\frac{1}{x+1} = 2$",
        r"Let x be real and positive. Solve $\frac{1}{x} + 1 = 2$",
    ),
    ("Find $2^{n+1}$", "Find $2^n + 1$"),
]


@pytest.mark.parametrize("pair", GROUPED)
def test_formulas_that_are_grouped_otherwise_are_other_questions(pair, tmp_path):
    assert set(judged(list(pair), tmp_path / "apart").values()) == {""}
    again = pair[0].replace("$", "").replace(" + ", "+")
    assert sorted(judged([pair[0], again], tmp_path / "copies").values()) == ["", "duplicate question"]


@pytest.mark.parametrize(
    "pair",
    [
        (r"Let y be smooth. Find $\frac{dy}{dx}$ at 3", "Let y be smooth. Find dy/dx at 3"),
        (r"What is $\frac{n(n+1)}{2}$ for n = 5?", "What is n(n+1)/2 for n = 5?"),
        (r"A box holds $8\text{ cm}^{3}$ of sand", "A box holds 8 cm³ of sand"),
    ],
)
def test_a_copy_that_is_typed_otherwise_is_a_duplicate(pair, tmp_path):
    assert sorted(judged(list(pair), tmp_path).values()) == ["", "duplicate question"]


def test_numbers_may_count_as_words(tmp_path):
    found = judged([BASE, BASE.replace("5", "4")], tmp_path, same_numbers=False, near=0.6)
    assert sorted(found.values()) == ["", "near-duplicate question"]


def test_what_was_there_before_stays(tmp_path):
    found = judged([BASE, BASE.replace("town", "barn")], tmp_path, known=[BASE.upper()])
    assert found[BASE] == "duplicate of a known question"
    assert found[BASE.replace("town", "barn")] == "near-duplicate of a known question"


def test_a_family_is_capped_at_the_lowest_ids(tmp_path):
    members = [f"{name} has {n} pens and buys {n + 1} more. How many pens are there?" for n, name in enumerate(NAMES)]
    found = judged([*members, "What is 3 + 5?"], tmp_path, family_cap=3, near=None)
    stay = [q for q, reason in found.items() if not reason]
    assert stay and set(stay) - {"What is 3 + 5?"} == set(sorted(members, key=content_id)[:3])
    assert set(found.values()) == {"", "its family is full"}


NAMES = ("Anna", "Tom", "Mia", "Ben", "Zoe", "Max", "Leo", "Ivan")


@pytest.mark.slow
@settings(max_examples=15)
@given(st.permutations(list(range(24))), st.sampled_from([{}, {"same_numbers": False}, {"family_cap": 2}]))
def test_the_order_of_the_rows_decides_nothing(tmp_path_factory, order, options):
    words = BASE.split()
    questions = [" ".join([*words[: i % 8], f"word{i // 8}", *words[i % 8 + 1 :]]) for i in range(22)] + [
        BASE,
        BASE.upper(),
    ]
    first = judged(questions, tmp_path_factory.mktemp("a"), **options)
    again = judged([questions[i] for i in order], tmp_path_factory.mktemp("b"), **options)
    assert first == again


def test_no_two_that_stay_are_alike_and_each_that_goes_has_a_twin_that_stays(tmp_path):
    rng = np.random.default_rng(0)
    words = BASE.split()
    questions = []
    for _ in range(300):
        changed = list(words)
        for place in rng.integers(13, len(words), 2):
            changed[place] = ("oak", "elm", "ash", "fir")[rng.integers(0, 4)]
        questions.append(" ".join(changed))
    questions = sorted(set(questions))
    (tmp_path / "f").mkdir()
    sketch = features(questions)
    sketch.save(tmp_path / "f")
    fates = Duplicates(near=0.8).judge(Shelf([tmp_path / "f"], tmp_path))
    starts = np.cumsum(sketch.sizes.astype(int)) - sketch.sizes
    sets = [set(sketch.sets[a : a + n].tolist()) for a, n in zip(starts, sketch.sizes.astype(int))]
    stay = np.flatnonzero(fates.fate == 0)
    alike = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i in stay for j in stay if i < j]
    assert max(alike) < 0.8 and 1 < len(stay) < len(questions)
    for row in np.flatnonzero(fates.fate):
        twin = fates.twin[row]
        assert fates.fate[twin] == 0 and len(sets[row] & sets[twin]) / len(sets[row] | sets[twin]) >= 0.8


@pytest.mark.parametrize("options", [{"near": 0.3}, {"near": 2.0}, {"family_cap": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"near must|family_cap must"):
        Duplicates(**options)


def test_a_sketch_needs_a_row():
    with pytest.raises(ValueError, match="rows must be at least 1"):
        Sketcher(rows=0)

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from src.text.minhash import Sketcher, jaccard, jaccards
from src.text.shingles import grams_of, numbers_of, sets_of, wholes, words_of

keys = st.lists(st.lists(st.sampled_from(["a", "bb", "ccc", "12", "é", "3x"]), max_size=9).map(" ".join), max_size=8)


@settings(max_examples=40)
@given(keys)
def test_a_word_has_one_number_wherever_it_stands(texts):
    words = words_of(texts)
    flat = [word for text in texts for word in text.split()]
    assert len(words.hashes) == len(flat)
    assert np.diff(words.offsets).tolist() == [len(text.split()) for text in texts]
    assert words.numeric.tolist() == [any(c.isdigit() for c in word) for word in flat]
    number = dict(zip(flat, words.hashes.tolist(), strict=True))
    assert [number[word] for word in flat] == words.hashes.tolist() and len(set(number.values())) == len(number)


@settings(max_examples=40)
@given(keys, st.integers(1, 4))
def test_runs_of_words_are_those_of_the_slow_way(texts, n):
    grams = grams_of(words_of(texts), n, whole_if_short=True)
    sets = sets_of(grams)
    slow = []
    for text in texts:
        words = text.split()
        slow.append([tuple(words[i : i + n]) for i in range(len(words) - n + 1)] or ([tuple(words)] if words else []))
    assert np.diff(grams.offsets).tolist() == [len(runs) for runs in slow]
    assert np.diff(sets.offsets).tolist() == [len(set(runs)) for runs in slow]
    known: dict = {}
    for run, number in zip((run for runs in slow for run in runs), grams.hashes.tolist(), strict=True):
        assert known.setdefault(run, number) == number
    assert len(set(known.values())) == len(known)


def test_whole_texts_and_their_numbers():
    words = words_of(["what is 3 + 5", "what is 5 + 3", "", "is what 3 + 5"])
    whole, numbers = wholes(words), numbers_of(words)
    assert len(set(whole.tolist())) == 4 and whole[2] == 0
    assert numbers[0] == numbers[1] == numbers[3] != 0 and numbers[2] == 0
    assert wholes(words_of([])).tolist() == [] and wholes(words_of([""])).tolist() == [0]


def test_numbers_are_the_same_on_every_machine():
    assert words_of(["what is"]).hashes.tolist() == [12803146268025565910, 17132560143931137652]
    sketch = Sketcher(bands=2, rows=3).sketch(words_of(["what is the sum of two and three"]))
    assert sketch.bands.tolist() == [[4819924035301752152, 6248469848913094321]]


@settings(max_examples=40)
@given(st.lists(st.sets(st.integers(0, 20), max_size=8), min_size=2, max_size=6))
def test_similarities_of_many_pairs_are_those_of_one(sets):
    arrays = [np.array(sorted(s), np.uint32) for s in sets]
    sizes = np.array([len(a) for a in arrays])
    pairs = np.array([(i, j) for i in range(len(sets)) for j in range(len(sets)) if i < j])
    found = jaccards(np.concatenate(arrays), np.cumsum(sizes) - sizes, sizes, pairs)
    slow = [jaccard(arrays[i], arrays[j]) for i, j in pairs]
    exact = [len(sets[i] & sets[j]) / max(len(sets[i] | sets[j]), 1) for i, j in pairs]
    assert found.tolist() == slow == exact


def test_alike_texts_share_a_band_and_others_do_not():
    base = "a farmer has twelve cows and seven goats on the green hill and sells five of the cows to a friend in town"
    near, far = base.replace("town", "may"), "compute the integral of the square of x from zero to one and simplify"
    bands = Sketcher().sketch(words_of([base, near, far])).bands
    assert (bands[0] == bands[1]).any() and not (bands[0] == bands[2]).any()

"""What a question is about and how it reads: topic, the least education that its terms take, readability."""

from __future__ import annotations

import re
from typing import NamedTuple

# For each topic: the terms that speak for it. Where several topics have as many, the first one is taken.
_TERMS = {
    "calculus": "derivative derivatives differentiate integral integrals integrate antiderivative limit limits"
    " converges diverges series differential gradient continuous tangent maclaurin taylor int",
    "linear algebra": "matrix matrices determinant eigenvalue eigenvalues eigenvector vector vectors orthogonal"
    " subspace rank transpose pmatrix bmatrix",
    "trigonometry": "sin cos tan sine cosine radians trigonometric sec csc cot",
    "complex numbers": "complex imaginary conjugate modulus",
    "number theory": "prime primes divisor divisors divisible remainder modulo mod gcd lcm congruent multiple multiples"
    " digit digits factor factors coprime odd even base perfect",
    "counting and probability": "probability chosen random randomly dice die coin coins ways arrangements permutations"
    " combinations committee deck card cards marbles binom subsets arrange",
    "statistics": "mean median mode average variance deviation standard sample survey distribution quartile data",
    "geometry": "triangle triangles circle circles square rectangle rectangular area perimeter radius diameter angle"
    " angles volume cube sphere cylinder cone polygon hexagon parallel perpendicular hypotenuse segment diagonal",
    "algebra": "equation equations solve polynomial roots root quadratic function functions inequality variable"
    " expression simplify factorise logarithm log exponent sequence slope x y f inverse",
    "ratios and percent": "percent percentage ratio ratios rate discount interest tax proportion speed mph mixture",
}
_TOPIC_OF = {word: topic for topic, words in _TERMS.items() for word in words.split()}
OTHER = "arithmetic"
TOPICS = (*_TERMS, OTHER)

# The least schooling that a term takes: 1 middle school, 2 high school, 3 college. What is not here takes none.
_LEVELS = (
    (1, "equation equations variable ratio proportion probability exponent slope inequality negative median"),
    (2, "quadratic polynomial logarithm log sine cosine sin cos tan radians function functions vector vectors modulo"
        " permutations combinations complex imaginary hyperbola parabola ellipse asymptote"),
    (3, "derivative derivatives differentiate integral integrals integrate antiderivative matrix matrices determinant"
        " eigenvalue eigenvalues eigenvector differential theorem subspace homomorphism topology manifold lebesgue"
        " converges variance isomorphic banach hilbert int"),
)  # fmt: skip
_LEVEL_OF = {word: level for level, words in _LEVELS for word in words.split()}
_TERMS_OF_ANY = frozenset(_TOPIC_OF) | frozenset(_LEVEL_OF)
STAGE_LEVEL = {
    "grade_school": 0, "middle_school": 1, "high_school": 2, "college": 3, "amc8": 1, "amc10": 2, "amc12": 2, "aime": 2,
}  # fmt: skip

_NO_LETTERS = dict.fromkeys(code for code in range(128) if not chr(code).isalnum())
_LETTER = r"[^\W\d_²³¹⁰-ₜ]"
# "log" in "log_2", "sin" in "2sin^2", but no part of "base-pair"; a letter only where it stands alone, or the x of a
# formula would outvote its term
_TERM = re.compile(rf"{_LETTER}{{2,}}(?:-{_LETTER}{{2,}})*|(?<!\S){_LETTER}(?!\S)")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


class TopicReading(NamedTuple):
    """`grade`: US school grade by the Automated Readability Index; `level`: see `STAGE_LEVEL`."""

    topic: str
    level: int
    grade: float
    words: int


def read(question: str, key: str) -> TopicReading:
    """`key`: the question's `question_key`."""
    terms = _TERM.findall(key)
    votes: dict[str, int] = {}
    level = 0
    for word in _TERMS_OF_ANY.intersection(terms):
        level = max(level, _LEVEL_OF.get(word, 0))
        if (topic := _TOPIC_OF.get(word)) is not None:
            votes[topic] = votes.get(topic, 0) + terms.count(word)
    topic = max(votes, key=lambda t: (votes[t], -TOPICS.index(t))) if votes else OTHER
    words = len(key.split())
    return TopicReading(topic, level, readability(question, words), words)


def readability(text: str, words: int) -> float:
    """Automated Readability Index (Senter and Smith 1967): 4.71 characters a word + 0.5 words a sentence - 21.43,
    between 0 and 20. Formulas count as words, so it compares stages rather than it grades one text."""
    if not words:
        return 0.0
    characters = _alphanumeric(text) if len(text) < 20_000 else len(text)
    sentences = max(len(_SENTENCE_END.findall(text)), 1)
    return min(max(4.71 * characters / words + 0.5 * words / sentences - 21.43, 0.0), 20.0)


def _alphanumeric(text: str) -> int:
    return len(text.translate(_NO_LETTERS)) if text.isascii() else sum(map(str.isalnum, text))


def fits(stage: str, level: int) -> bool:
    """Whether the terms of a question are known at its stage; true for a stage that is none of the eight."""
    return level <= STAGE_LEVEL.get(stage, 3)

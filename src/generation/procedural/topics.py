"""What the families are about, as the offline teacher says it: topics, and the key points of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from random import Random

from src.core.records import seed_from
from src.generation.procedural.family import Family

MOST_TOPICS, FEWEST_POINTS = 4, 2


@dataclass(frozen=True)
class Topic:
    """`names`: it goes by several, as a person's labels do. `keywords`: of families and texts that are about it."""

    names: tuple[str, ...]
    keywords: frozenset[str]
    key_points: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def field(self) -> str:
        """Of mathematics: "Number Theory" of "Number Theory - Divisors"."""
        return self.name.partition(" - ")[0]


def _topic(names: str, keywords: str, *key_points: str) -> Topic:
    return Topic(tuple(names.split(" | ")), frozenset(keywords.split()), key_points)


TOPICS = (
    _topic(
        "Arithmetic - Addition | Addition - Whole Numbers",
        "add addition sum plus together accumulate combine join",
        "Adding two whole numbers column by column",
        "Carrying a ten to the next column of a sum",
        "Recognising that a story joins two amounts",
        "Changing the order of summands without changing the sum",
        "Adding several summands one after the other",
        "Estimating a sum by rounding its summands",
    ),
    _topic(
        "Arithmetic - Subtraction | Subtraction - Whole Numbers",
        "subtract subtraction difference minus left remove fewer take decrease remaining",
        "Subtracting a smaller whole number from a larger one",
        "Borrowing a ten from the next column of a difference",
        "Recognising that a story takes an amount away",
        "Reading a difference as how many more one has than the other",
        "Checking a difference by adding it back",
        "Undoing an addition by the subtraction that belongs to it",
    ),
    _topic(
        "Arithmetic - Multiplication | Multiplication - Equal Groups",
        "multiply multiplication product times pack array rows groups double triple twice",
        "Multiplying the number of equal groups by the size of one",
        "Knowing the multiplication table by heart",
        "Splitting a factor to multiply part by part",
        "Reading an array as rows times columns",
        "Reading times as many as a multiplication",
    ),
    _topic(
        "Arithmetic - Division | Division - Fair Shares",
        "divide division quotient share equal fair partition each",
        "Dividing a total into a given number of equal shares",
        "Dividing a total by the size of one group to count groups",
        "Reading a quotient from the multiplication table",
        "Checking a quotient by multiplying it with the divisor",
    ),
    _topic(
        "Arithmetic - Fractions | Fractions - Operations",
        "fraction denominator numerator rational half quarter lowest",
        "Bringing fractions to a common denominator",
        "Reducing a fraction to lowest terms by its greatest common factor",
        "Taking a fraction of an amount",
        "Multiplying numerators and denominators",
        "Reading a fraction as a division of its numerator",
        "Adding fractions of like denominators by their numerators",
    ),
    _topic(
        "Arithmetic - Rates and Ratios | Ratios - Proportional Reasoning",
        "ratio rate proportion proportional per scale unit speed conversion",
        "Finding the value of one unit before that of many",
        "Splitting an amount in a given ratio by counting parts",
        "Multiplying a rate by time to find an amount",
        "Scaling both terms of a ratio by the same factor",
    ),
    _topic(
        "Arithmetic - Percentages | Percentages - Change",
        "percent percentage discount interest growth increase",
        "Turning a percentage into a fraction of one hundred",
        "Taking a percentage of a base value",
        "Applying a percentage change by its growth factor",
        "Compounding changes one after the other",
    ),
    _topic(
        "Algebra - Equations | Equations - Solving for an Unknown",
        "equation unknown solve solution linear inverse missing equations system",
        "Naming the unknown of a problem",
        "Undoing operations on both sides of an equation",
        "Isolating the unknown on one side",
        "Checking a solution by putting it into the equation",
        "Eliminating one unknown from two equations",
        "Writing a story's condition down as an equation",
    ),
    _topic(
        "Algebra - Polynomials | Polynomials - Roots and Coefficients",
        "polynomial quadratic root roots coefficient cubic parabola",
        "Factoring a quadratic by the product and sum of its roots",
        "Relating coefficients to roots by Vieta's formulas",
        "Evaluating a polynomial at a given point",
        "Finding a remainder by the remainder theorem",
    ),
    _topic(
        "Algebra - Powers and Logarithms | Powers - Exponent Rules",
        "exponent power exponential logarithm log base",
        "Adding exponents of powers with the same base",
        "Multiplying exponents of a power of a power",
        "Turning a logarithm into the exponent that it asks for",
        "Changing the base of a logarithm",
    ),
    _topic(
        "Algebra - Functions and Expressions | Functions - Evaluation",
        "function expression evaluate compose composition argument operation arithmetic parenthesis order",
        "Evaluating what stands in brackets first",
        "Working products and quotients out before sums",
        "Putting a value into a function",
        "Composing two functions from the inside out",
    ),
    _topic(
        "Algebra - Sequences and Series | Sequences - Sums and Recurrences",
        "sequence series progression recurrence summation telescoping partial fibonacci",
        "Finding a term of an arithmetic sequence by its common difference",
        "Summing an arithmetic series by the mean of its ends",
        "Computing the terms of a recurrence one by one",
        "Cancelling neighbouring terms of a telescoping sum",
    ),
    _topic(
        "Geometry - Lengths and Areas | Measurement - Perimeter and Area",
        "perimeter area rectangle length distance around border triangle polygon",
        "Adding the sides of a figure to its perimeter",
        "Multiplying length and width to the area of a rectangle",
        "Subtracting an inner area from an outer one",
        "Finding a side with the theorem of Pythagoras",
    ),
    _topic(
        "Geometry - Coordinates and Lines | Coordinates - Points in the Plane",
        "coordinate point plane collinear intercept lattice line",
        "Reading coordinates of points in the plane",
        "Finding the slope of a line through two points",
        "Following a line by its slope to another point",
        "Measuring the distance of two points by their differences",
    ),
    _topic(
        "Geometry - Angles | Angles - Triangles and Trigonometry",
        "angle degree triangle sine cosine sin cos",
        "Summing the angles of a triangle to 180 degrees",
        "Using the addition theorem of the sine",
        "Finding a cosine from a sine by the Pythagorean identity",
    ),
    _topic(
        "Number Theory - Divisors | Divisibility - Factors and Multiples",
        "divisor factor gcd multiple prime divisible coprime factorization even",
        "Writing a number as a product of primes",
        "Counting divisors from the exponents of the primes",
        "Finding the greatest common divisor by Euclid's algorithm",
        "Counting the multiples of a number up to a bound",
    ),
    _topic(
        "Number Theory - Remainders | Modular Arithmetic - Residues",
        "mod modular congruence remainder residue digit cyclic last",
        "Computing with remainders instead of numbers",
        "Finding the period of the powers of a residue",
        "Combining two congruences into one",
        "Writing a number in another base by repeated division",
    ),
    _topic(
        "Counting and Probability - Counting | Combinatorics - Counting Principles",
        "count combination choose pair committee combinatorics binomial inclusion exclusion overlap",
        "Choosing k of n things without order",
        "Adding two sets and subtracting what they share",
        "Counting the complement of what is asked for",
        "Multiplying the choices of independent steps",
    ),
    _topic(
        "Counting and Probability - Probability | Probability - Equally Likely Outcomes",
        "probability random chance event outcome dice expected",
        "Dividing favourable outcomes by all outcomes",
        "Subtracting a probability from one for the opposite event",
        "Weighting values by their probabilities for an expected value",
    ),
    _topic(
        "Statistics - Averages | Data - Mean of a Sample",
        "mean average data score sample statistics",
        "Dividing a total by the number of values for their mean",
        "Finding a missing value from a given mean",
    ),
    _topic(
        "Linear Algebra - Vectors and Matrices | Matrices - Determinants and Products",
        "vector matrix determinant dot orthogonal linear row column",
        "Multiplying two vectors entry by entry for their dot product",
        "Expanding a determinant along a row of zeros",
        "Knowing that orthogonal vectors have dot product zero",
    ),
    _topic(
        "Calculus - Derivatives and Integrals | Analysis - Limits and Derivatives",
        "derivative integral limit calculus antiderivative continuous",
        "Differentiating a polynomial term by term",
        "Evaluating an antiderivative at both ends of an interval",
        "Cancelling a common factor before taking a limit",
    ),
    _topic(
        "Discrete Mathematics - Graphs | Graph Theory - Edges and Degrees",
        "graph edge edges vertex node handshake network",
        "Counting edges by half the sum of degrees",
        "Counting the pairs of a complete graph",
    ),
    _topic(
        "Others - Problem Context | Others - Everyday Knowledge",
        "price cost money buy sell shop pay dollar clock hour minute day book page bag box",
        "Knowing how money, goods and change go together",
        "Knowing the units of time, length and weight",
        "Telling what a story asks for from what it only tells",
    ),
)
FIELDS = tuple(dict.fromkeys(topic.field for topic in TOPICS))
_NAMES = frozenset(name for topic in TOPICS for name in (*topic.names, *topic.key_points))


@cache
def topics_of(family: Family) -> tuple[Topic, ...]:
    """Those that share most keywords with the family, the best first: at most four, at least one."""
    shared = {topic: len(topic.keywords & family.topics) for topic in TOPICS}
    ranked = sorted((topic for topic in TOPICS if shared[topic]), key=lambda topic: -shared[topic])
    return tuple(ranked[:MOST_TOPICS]) or (TOPICS[-1],)


def field_of(family: Family) -> str:
    """That of the topic that the family is about most."""
    return topics_of(family)[0].field


def key_points_of(family: Family, topic: Topic) -> tuple[str, ...]:
    """Those of a topic that the family's problems need: two at least, the same every time."""
    rng = Random(seed_from("key points", family.name, topic.name))
    count = rng.randint(min(FEWEST_POINTS, len(topic.key_points)), len(topic.key_points))
    chosen = set(rng.sample(topic.key_points, count))
    return tuple(point for point in topic.key_points if point in chosen)


def labels_of(family: Family, rng: Random) -> dict[str, list[str]]:
    """A family's topics, each under one of its names, with their key points."""
    return {rng.choice(topic.names): list(key_points_of(family, topic)) for topic in topics_of(family)}


def is_known(name: str) -> bool:
    """Whether a topic or a key point has this name."""
    return name in _NAMES


def topics_about(words: frozenset[str]) -> list[Topic]:
    """Those that the words of a text speak of, the best first."""
    shared = {topic: len(topic.keywords & words) for topic in TOPICS}
    return sorted((topic for topic in TOPICS if shared[topic]), key=lambda topic: -shared[topic])[:MOST_TOPICS]


def words_of(text: str) -> frozenset[str]:
    """The text's words in lower case, plurals also without their s."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return frozenset(words | {w[:-1] for w in words if w.endswith("s")})

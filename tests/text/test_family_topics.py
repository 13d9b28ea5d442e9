import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.text import topics
from src.text.family import family_key
from src.text.normalise import question_key
from src.text.topics import fits, read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna has 12 apples. She buys 7 more.", "Tom has 5 apples. He buys 1,300 more."),
        ("A box of three pens costs 2.50 dollars.", "A box of seven pens costs 4 dollars."),
        ("Yesterday Quirin ran 3 km.", "Yesterday Zebedee ran 14 km."),
        ("Yesterday Anaïs ran 3 km.", "Yesterday McKay ran 14 km."),
        ("At noon Éloïse met Šárka.", "At noon Anna met Tom."),
        ("José ran 3 km.", "Anna ran 14 km."),
        ("Tom's mother gave him 5 pens.", "Anna's mother gave her 7 pens."),
        ("Tom knows that his pens are 3.", "Anna knows that her pens are 4."),
        ("The book is hers, 3.", "The book is his, 4."),
        ("Tom paid for himself 3.", "Anna paid for herself 4."),
        ("Between one hundred and two hundred pens.", "Between 3 and 7 pens."),
        ("There are forty two-digit numbers.", "There are 7 two-digit numbers."),
        ("Twice three pens and two dozen eggs.", "Twice 5 pens and 24 eggs."),
        ("It costs 2.5 million dollars.", "It costs 2,500,000 dollars."),
        ("Question: Her box has two pens.", "Question: His box has 3 pens."),
    ],
)
def test_other_numbers_and_people_are_one_family(one, other):
    assert family_key(one) == family_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Compute 3 + 5.", "Compute 3 - 5."),
        ("Factor 12.", "Expand 12."),
        ("Find 2 pens.", "Find 2 cows."),
        ("He buys two DVDs.", "He buys two CDs."),
        ("Five and six pens.", "Five pens."),
        ("They ask one of the boys.", "They ask two of the boys."),
    ],
)
def test_other_words_are_another(one, other):
    assert family_key(one) != family_key(other)


BELOW_TWENTY = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def spelt(number, joint, hyphen):
    if number < 20:
        return BELOW_TWENTY.split()[number - 1]
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            told = f"{spelt(number // size, ' ', hyphen)} {name}"
            return told + ((joint if rest < 100 else " ") + spelt(rest, joint, hyphen) if rest else "")
    return TENS.split()[number // 10 - 2] + (hyphen + spelt(number % 10, joint, hyphen) if number % 10 else "")


@given(
    st.integers(2, 999) | st.integers(2, 999_999_999),
    st.sampled_from([" ", " and "]),
    st.sampled_from("- "),
    st.booleans(),
)
def test_a_number_in_words_is_one_number(number, joint, hyphen, capital):
    words = spelt(number, joint, hyphen)
    for ask in ("Tom saw {} pens in 3 boxes.", "{} pens, 5 and a half, or {}?"):
        wanted = family_key(ask.replace("{}", "7"))
        assert family_key(ask.replace("{}", words.capitalize() if capital else words)) == wanted


def reading(question):
    return read(question, question_key(question))


@pytest.mark.parametrize(
    ("question", "topic", "level"),
    [
        ("Compute the integral of x^2 from 0 to 1.", "calculus", 3),
        ("What is the probability that both dice show a six?", "counting and probability", 1),
        ("A triangle has an area of 12.", "geometry", 0),
        ("Tom has 3 apples and eats one.", "arithmetic", 0),
        ("", "arithmetic", 0),
        (r"Evaluate $\int_0^1 x^2\,dx$.", "calculus", 3),
        (r"Evaluate $\int x^3+x^2+x\,dx$.", "calculus", 3),
        (r"Find $\log_2 8$.", "algebra", 2),
        (r"Find $2\sin^2 30^\circ+3$.", "trigonometry", 2),
        ("Find sin²30 + log₂8 + sin 3.", "trigonometry", 2),
        ("Find f-sin x and 3-cos 2.", "trigonometry", 2),
        ("The sinister interior of a base-pair.", "arithmetic", 0),
    ],
)
def test_topic_and_level(question, topic, level):
    assert reading(question)[:2] == (topic, level)


@given(
    st.sampled_from(sorted(topics._LEVEL_OF)),
    st.sampled_from(["", "2", "3*", "x^2+", "$", "-"]),
    st.sampled_from(["_0^1", "^2", "_{10}", "_a", "²", "₂", "30", "(30)", "^{-1}(x)"]),
)
def test_a_term_has_its_level_whatever_it_carries(term, before, after):
    assert reading(f"Find {before}\\{term}{after}.").level == reading(f"Find {before}{term}{after}.").level
    assert reading(f"Find {before}{term}{after}.").level == reading(f"Find {term}.").level > 0


def test_a_derivative_is_not_for_grade_school():
    assert not fits("grade_school", 3) and fits("college", 3) and fits("grade_school", 0) and fits("a new stage", 3)


def test_long_words_and_sentences_read_harder():
    easy = reading("Tom has a cat. He has a dog. How many pets has he?")
    hard = reading("Determine the characteristic polynomial corresponding to the aforementioned transformation matrix.")
    assert 0 <= easy.grade < hard.grade <= 20


@given(st.text(alphabet="aZ9 .$_\t\né²٣", max_size=20))
def test_letters_and_digits_are_counted_alike_in_every_script(text):
    assert topics._alphanumeric(text) == sum(c.isalnum() for c in text)

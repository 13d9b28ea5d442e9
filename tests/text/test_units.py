import pytest

from src.text.arithmetic import check_arithmetic
from src.text.units import without_units
from tests.watchdog import ends


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("40 pages + 20 pages = 60 pages.", "40 + 20 = 60."),
        ("5000 pounds – 3755 pounds = 1245 pounds in total", "5000 – 3755 = 1245 in total"),
        ("2 trains * 80 miles/train = 160 miles together", "2 * 80 = 160"),
        ("43 brownies x $3/brownie = $129", "43 x $3 = $129"),
        ("$20/hour * 35 hours/week = $700/week", "$20 * 35 = $700"),
        ("60 miles per hour * 3 hours = 180 miles", "60 * 3 = 180"),
        ("50 eggs / 5 eggs per glass = 10 glasses", "50 / 5 = 10"),
        ("200 feet / 10 feet/section = 20 sections", "200 / 10 = 20"),
        ("10 feet * 5 feet = 50 square feet", "10 * 5 = 50"),
        ("1/2 cup + 1/4 cup = 3/4 cup", "1/2 + 1/4 = 3/4"),
        ("3 cookies * 4 = 12 cookies", "3 * 4 = 12"),
        ("4 teachers * 2 lessons each = 8 lessons", "4 * 2 = 8"),
        ("$20 a day * 3 days = $60", "$20 * 3 = $60"),
    ],
)
def test_units_that_agree_are_left_out(text, bare):
    assert without_units(text) == bare


@pytest.mark.parametrize(
    "text",
    [
        "90 minutes - 1 hour = 30 minutes",
        "1 week + 3 days = 10 days",
        "20 minutes * 6 = 2 hours",
        "20 minutes/day * 6 days = 2 hours",
        "30 minutes * 60 miles/hour = 30 miles",
        "3 hours 20 minutes - 30 minutes = 170 minutes",
        "3 hours and 20 minutes - 30 minutes = 170 minutes",
        "80 minutes + 60 minutes = 2 hours and 20 minutes",
        "36 inches / 12 = 3 feet",
        "50 cents * 4 = $2",
        "2 pairs + 1 sock = 5 socks",
        "3 dozen eggs * 2 = 72 eggs",
        "7 pm + 3 hours = 10 pm",
        "100 people - 20% of people = 80 people",
        "5 boxes * 12 = 60 apples",
        "20 minutes + 40 minutes = 60 minutes = 1 hour",
        "500 grams * 4 = 2000 grams = 2 kilograms",
        "3 hours / 2 = 1 hour, 30 minutes",
        "7 pizzas - 3.5 pizzas = 3 pizzas and a half",
        "7 cookies / 2 kids = 3 full cookies",
        "2 tens + 3 tens = 50",
        "3 eighths + 2 eighths = 5/8",
        "1 mile / 2 minutes = 30 miles per hour",
        "10 liters / 5 minutes = 120 liters an hour",
        "60 miles / 2 hours = 1/2 mile every minute",
        "3 meters * 400 centimeters = 12 square meters",
    ],
)
def test_sums_that_are_right_though_their_numbers_are_not_stay(text):
    assert without_units(text) == text
    assert check_arithmetic(text).wrong is None


@pytest.mark.parametrize(
    "piece", ["3 apples + ", "3 aa bb cc ", "3 apples per tree * ", "1,", "3 - ", "= 3 apples ", "3 aa each "]
)
def test_a_long_line_is_read_at_once(piece):
    with ends():
        without_units(piece * 20_000 + "= 7")

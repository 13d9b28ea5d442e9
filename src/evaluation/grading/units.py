"""Units of measure: what they are called, what they measure, and how they convert, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


class UnreadableError(ValueError):
    """The text is no mathematics that the grader knows."""


_INCH, _POUND, _LITRE = Fraction(254, 10_000), Fraction(45_359_237, 100_000_000), Fraction(1, 1000)

# Names (the first is the symbol), factor, dimension. Dimensions: m(etre), kg, s(econd), angle, and money by currency.
_TABLE: tuple[tuple[str, Fraction | int, str], ...] = (
    ("nm nanometer nanometre", Fraction(1, 10**9), "m"),
    ("μm µm micrometer micrometre micron", Fraction(1, 10**6), "m"),
    ("mm millimeter millimetre", Fraction(1, 1000), "m"), ("cm centimeter centimetre 厘米", Fraction(1, 100), "m"),
    ("dm decimeter decimetre", Fraction(1, 10), "m"), ("m meter metre 米", 1, "m"),
    ("km kilometer kilometre 千米 公里", 1000, "m"), ("in inch inches", _INCH, "m"), ("ft foot feet", 12 * _INCH, "m"),
    ("yd yard", 36 * _INCH, "m"), ("mi mile", 63_360 * _INCH, "m"),
    ("mg milligram", Fraction(1, 10**6), "kg"), ("g gram gramme 克", Fraction(1, 1000), "kg"),
    ("kg kilogram kilo 千克 公斤", 1, "kg"), ("oz ounce", _POUND / 16, "kg"), ("lb lbs pound", _POUND, "kg"),
    ("tonne", 1000, "kg"), ("ton", 1000, "ton"),
    ("ms millisecond", Fraction(1, 1000), "s"), ("s sec secs second 秒", 1, "s"), ("min mins minute 分钟", 60, "s"),
    ("h hr hrs hour 小时", 3600, "s"), ("day 天", 86_400, "s"), ("week", 7 * 86_400, "s"),
    ("fortnight", 14 * 86_400, "s"), ("month", 1, "month"),
    ("year yr yrs 年 岁", 12, "month"), ("decade", 120, "month"), ("century centuries", 1200, "month"),
    ("ml mL milliliter millilitre cc", _LITRE / 1000, "m3"), ("cl centiliter", _LITRE / 100, "m3"),
    ("L l liter litre 升", _LITRE, "m3"), ("gal gallon", 231 * _INCH**3, "m3"),
    ("qt quart", Fraction(231, 4) * _INCH**3, "m3"),
    ("pt pint", Fraction(231, 8) * _INCH**3, "m3"), ("cup", Fraction(231, 16) * _INCH**3, "m3"),
    ("ha hectare", 10_000, "m2"), ("acre", 4840 * (36 * _INCH) ** 2, "m2"),
    ("degree deg 度", 1, "angle"), ("radian rad rads", 1, "radian"), ("celsius", 1, "celsius"),
    ("fahrenheit", 1, "fahrenheit"), ("kelvin K", 1, "kelvin"),
    ("dollar USD usd buck", 1, "dollar"), ("cent ¢", Fraction(1, 100), "dollar"), ("euro EUR eur", 1, "euro"),
    ("gbp GBP", 1, "gbp"), ("pence", Fraction(1, 100), "gbp"),
    ("yen JPY", 1, "yen"), ("yuan RMB CNY 元", 1, "yuan"), ("rupee Rs INR", 1, "rupee"),
    ("N newton", 1, "newton"), ("J joule", 1, "joule"), ("kJ kilojoule", 1000, "joule"), ("W watt", 1, "watt"),
    ("kW kilowatt", 1000, "watt"), ("V volt", 1, "volt"), ("A amp ampere", 1, "ampere"), ("Hz hertz", 1, "hertz"),
    ("kHz", 1000, "hertz"), ("MHz", 10**6, "hertz"), ("GHz", 10**9, "hertz"),
    ("kWh", 3_600_000, "joule"), ("Pa pascal", 1, "pascal"), ("kPa", 1000, "pascal"),
    ("mol mole", 1, "mole"), ("eV", 1, "eV"), ("ohm Omega", 1, "ohm"),
    ("C coulomb", 1, "coulomb"), ("T tesla", 1, "tesla"), ("rpm", 1, "rpm"),
    ("percent pct percentage", 1, "percent"),
)  # fmt: skip
UNITS: dict[str, tuple[Fraction, str]] = {}
for _names, _factor, _dimension in _TABLE:
    for _name in _names.split():
        UNITS[_name] = UNITS[_name + "s"] = (Fraction(_factor), _dimension)
UNITS["mph"] = (63_360 * _INCH / 3600, "m/s")
UNITS["kph"] = UNITS["kmph"] = (Fraction(1000, 3600), "m/s")
del UNITS["Omegas"], UNITS["ins"], UNITS["hs"], UNITS["As"], UNITS["Cs"], UNITS["Ts"], UNITS["Ls"], UNITS["ls"]

SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
    "万": 10**4, "亿": 10**8,
}  # fmt: skip
_SCALE_NAMES = {**SCALES, **{name + "s": value for name, value in SCALES.items() if name.isascii()}}
_VAGUE = {
    "unit",
    "units",
    "of",
    "the",
    "a",
    "an",
    "in",
    "total",
    "个",
    "approximately",
    "about",
    "exactly",
    "only",
    "sterling",
    "each",
}
_CONDITIONS = {
    "for", "all", "every", "any", "some", "where", "if", "when", "unless", "except", "not", "or", "and", "mod",
    "than", "more", "less", "fewer", "below", "above", "least", "most",
}  # fmt: skip
_OTHER = {"light", "nautical", "troy"}  # a nautical mile is no mile
_ORDINALS = {"th", "st", "nd", "rd"}


@dataclass(frozen=True)
class Unit:
    """A factor to base units, their powers, and the words that are no unit: "apples", "North", "even".

    `money`: the currency that a word may mean as well: pounds.
    """

    factor: Fraction = Fraction(1)
    powers: tuple[tuple[str, int], ...] = ()
    words: frozenset[str] = frozenset()
    money: str | None = None

    @property
    def is_percent(self) -> bool:
        return self.powers == (("percent", 1),)

    @property
    def is_silent(self) -> bool:
        return not self.powers and not self.words


def read_unit(parts: list[tuple[str, int]]) -> tuple[Fraction, Unit]:
    """Words with their powers ("m", 2), ("per", 1), ("s", 1): the scale ("million") and the unit they name."""
    scale, factor, powers, words = Fraction(1), Fraction(1), dict[str, int](), set[str]()
    sign, wanted = 1, 0
    for place, (name, power) in enumerate(parts):
        if name.lower() in _CONDITIONS:
            raise UnreadableError(f"{name!r} is no unit but a condition")
        if name.lower() in _OTHER and any(after in UNITS for after, _ in parts[place + 1 :]):
            raise UnreadableError(f"{name!r} makes another unit of what follows")
        if name in ("per", "/"):
            sign = -1
        elif name in ("squared", "cubed") and place and parts[place - 1][0] in UNITS:  # metres per second squared
            again, dimension = UNITS[parts[place - 1][0]]
            more = sign * (1 if name == "squared" else 2)
            factor *= again**more
            for base, times in _bases(dimension):
                powers[base] = powers.get(base, 0) + times * more
        elif name in ("square", "sq", "squared", "cubic", "cu", "cubed"):
            wanted = 2 if name.startswith("s") else 3
        elif name in _SCALE_NAMES and not powers and not words:
            scale *= _SCALE_NAMES[name]
        elif name in UNITS:
            power = sign * (wanted or power)
            factor *= UNITS[name][0] ** power
            for base, times in _bases(UNITS[name][1]):
                powers[base] = powers.get(base, 0) + times * power
            wanted = 0
        elif name not in _VAGUE and name not in _ORDINALS:
            words.add(_singular(name.casefold()))
    money = "gbp" if powers == {"kg": 1} and any(name in ("pound", "pounds") for name, _ in parts) else None
    return scale, Unit(factor, tuple(sorted((b, p) for b, p in powers.items() if p)), frozenset(words), money)


def _bases(dimension: str) -> list[tuple[str, int]]:
    if dimension in ("m2", "m3"):
        return [("m", int(dimension[1]))]
    if dimension == "newton":
        return [("kg", 1), ("m", 1), ("s", -2)]
    return [("m", 1), ("s", -1)] if dimension == "m/s" else [(dimension, 1)]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def as_money(unit: Unit, other: Unit) -> Unit:
    """The unit as a currency, where it may be one and the other is: pounds beside £."""
    return (
        Unit(powers=((unit.money, 1),), words=unit.words) if unit.money and other.powers == ((unit.money, 1),) else unit
    )


def agree(one: Unit, other: Unit) -> bool:
    """Units may be left out, but must not contradict: other dimensions or other words."""
    if one.is_silent or other.is_silent:
        return True
    if one.powers != other.powers and one.powers and other.powers:
        return False
    if one.powers and other.powers:
        return _same_words(one, other)
    return not (one.powers or other.powers) and _same_words(one, other)


def _same_words(one: Unit, other: Unit) -> bool:
    return bool(one.words <= other.words or other.words <= one.words)

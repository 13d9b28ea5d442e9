"""Sums whose numbers have units, "3 apples + 4 apples = 7 apples", brought to their numbers where the units agree.

What they agree on is narrow, for "90 minutes - 1 hour = 30 minutes", "20 minutes * 6 = 2 hours" and "2 pairs + 1 sock =
5 socks" are right: terms that are added have one unit, and a product's or quotient's unit is one of those that it was
made of, where every unit that another is counted by ("60 miles per hour") is there to be cancelled. A result that goes
on, "60 minutes = 1 hour" or "3 hours, 20 minutes", is not told from its unit.
"""

from __future__ import annotations

import re

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,12})(?:\.\d{1,8})?%?(?:/\d{1,4}(?![\d.]))?|\.\d{1,8}"
_NO_UNIT = (  # words that change a number, or join it to another
    r"(?!(?:of|and|or|to|in|is|are|by|as|at|for|on|with|if|so|the|an?|than|times|plus|minus|over|divided|multiplied"
    r"|more|less|fewer|half|halves|thirds?|fourths?|quarters?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?"
    r"|twelfths?|hundredths?|thousandths?|ones|tens|hundreds?|thousands?|millions?|billions?|dozens?|pairs?|couples?"
    r"|score|gross|grand|percent|squared|cubed|factorial|mod|modulo|remainder|full|whole|complete|entire|am|pm"
    r"|per|each|every)\b)"
)
_WORD = rf"{_NO_UNIT}[a-z]{{2,20}}"
_UNIT = rf"(?:\ {_WORD}(?:\ {_WORD}){{0,2}})?(?:(?:\ ?/\ ?|\ (?:per|an?|each|every)\ ){_WORD}|\ each)?"
_TERM = rf"\$?(?:{_NUMBER}){_UNIT}"
_OPERATOR = r"\ ?(?:[-+*/×÷·−–]|(?<=\ )x(?=\ ))\ ?"
_GOES_ON = (  # "60 minutes = 1 hour", "30 toys / 5", "3 hours, 20 minutes", "3 pizzas and a half"
    r"\w|\.\d|\ ?[=≈/*×÷·&½¼¾⅓⅔]|\ ?[-+−–]\ ?[$\d]|\ x\ |,?\ (?:(?:and|plus|with)\ )?(?:\d|an?\b|one\b|half\b)"
)
_MEASURED = re.compile(rf"(?<![\w.,$/^%(])({_TERM}(?:{_OPERATOR}{_TERM}){{1,8}})(\ ?=\ ?)((?>{_TERM}))(?!{_GOES_ON})")
_TERMS = re.compile(rf"(\$?)({_NUMBER})({_UNIT})")
_BY = re.compile(r" ?/ ?| (?:per|an?|each|every) ")
_GOES_ON_FROM = re.compile(r"\d\ ?[a-z]+,?\ (?:and\ )?$")  # "3 hours 20 minutes - 30 minutes"
_WORD_BEHIND = re.compile(r"\ [A-Za-z]")  # of a result whose unit may be one that is not known here
_ADDED = re.compile(r"[-+−–]")
_ASIDE = ("each", "apiece", "altogether", "total", "left", "now")
_OF_LENGTHS = {"square", "cubic"}
_IRREGULAR = {"feet": "foot", "children": "child", "people": "person", "men": "man", "women": "woman", "mice": "mouse"}


def without_units(text: str) -> str:
    """The text with the units left out of sums in which they agree."""
    return _MEASURED.sub(lambda m: _bare(m, text), text) if "=" in text else text


def _bare(sum_: re.Match[str], text: str) -> str:
    terms = [_Term(term) for term in _TERMS.finditer(sum_[1])]
    (result,) = (_Term(term) for term in _TERMS.finditer(sum_[3]))
    if not any(term.of or term.by for term in terms) or (not result.of and _WORD_BEHIND.match(text, sum_.end())):
        return sum_[0]
    if _GOES_ON_FROM.search(text[max(0, sum_.start() - 30) : sum_.start()]):
        return sum_[0]
    added = _ADDED.search(_TERMS.sub("", sum_[1])) is not None
    if not (_all_one if added else _cancel)(terms, result):
        return sum_[0]
    return sum_[2].join(_TERMS.sub(r"\1\2", side) for side in (sum_[1], sum_[3]))


class _Term:
    """A number's unit: the words "miles" (`of` is the last) and "hour" (`by`) of "60 miles per hour"; money is "$"."""

    def __init__(self, term: re.Match[str]):
        of, *by = _BY.split(term[3], maxsplit=1)
        self.words = [_one(word) for word in of.split() if word not in _ASIDE] or [term[1]] * bool(term[1])
        self.of = self.words[-1] if self.words else ""
        self.by = _one(by[0]) if by else ""


def _one(noun: str) -> str:
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(("sses", "xes", "ches", "shes")):
        return noun[:-2]
    one = noun if noun.endswith("ss") else noun.removesuffix("s")
    return one[:-2] + "y" if one.endswith("ie") else one  # cookies, cities


def _all_one(terms: list[_Term], result: _Term) -> bool:
    """Whether all terms of a sum have the same unit; the result may stand without."""
    units = {(term.of, term.by) for term in terms}
    return len(units) == 1 and (not result.of or terms[0].of in result.words) and result.by in ("", terms[0].by)


def _cancel(terms: list[_Term], result: _Term) -> bool:
    """Whether a product or quotient has units that it was made of: 3 m * 400 cm are no 1,200 square meters."""
    made_of = {name for term in terms for name in (term.of, term.by) if name}
    there = {term.of for term in terms} | {result.by, *result.words}
    is_area = not _OF_LENGTHS.isdisjoint(result.words)
    return (
        (not result.of or not made_of.isdisjoint(result.words))
        and (not result.by or result.by in made_of)
        and all(term.by in there for term in terms if term.by)
        and not (is_area and len({term.of for term in terms if term.of}) > 1)
    )

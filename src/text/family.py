"""Problem families: the same question with other numbers and other people in it."""

from __future__ import annotations

import re
import unicodedata

from src.text.normalise import key_of_normal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# People of word problems; who else is meant shows by a capital inside a sentence.
_PEOPLE = _words(
    """
    Aaron Abby Adam Aisha Alan Alex Alice Amara Amy Andrea Andrew Angela Ann Anna Anne Annie Arjun Arthur Ben
    Beth Betty Bill Billy Bob Brian Carl Carla Carlos Carol Cathy Charles Charlie Chris Clara Cindy Claire Daisy
    Dan Daniel Danny Dave David Diana Diego Donna Ed Elena Ella Ellen Emily Emma Eric Erica Ethan Eva Evan
    Fatima Felix Frank Fred Gary George Grace Greg Hana Hannah Harry Helen Henry Hugo Ian Ines Isabella Ivan
    Jack Jackson Jacob Jake James Jamie Jane Janet Jason Jean Jen Jenny Jerry Jessica Jill Jim Jimmy Joan Joe
    John Johnny Jonathan Jose Joseph Josh Juan Julia Julie Karen Kate Katie Kelly Ken Kevin Kim Kofi Kyle Larry
    Laura Leila Leo Liam Lily Linda Lisa Liz Lucy Luis Luke Lydia Maria Mark Martha Martin Mary Matt Matthew Max
    Megan Mei Melissa Mia Michael Michelle Mike Molly Nancy Nick Nicole Nina Noah Oliver Olivia Olga Omar Oscar
    Pam Pat Patrick Paul Pedro Peter Phil Priya Rachel Ravi Ray Rebecca Richard Rick Rob Robert Ron Rosa Rose
    Ruth Ryan Sally Sam Samantha Sandy Sara Sarah Scott Sean Simon Sofia Sophia Sophie Stephanie Steve Steven
    Sue Susan Tara Ted Theo Tim Tina Toby Todd Tom Tommy Tony Tyler Vera Victor Victoria Wendy Will William Yuki
    Zach Zoe
    """
)
# "her" is both "him" and "his", and "his" both "her" and "hers": all of these are one.
_PRONOUNS = {
    **dict.fromkeys(("he", "she", "they"), "they"),
    **dict.fromkeys(("him", "his", "her", "hers", "them", "their", "theirs"), "their"),
    **dict.fromkeys(("himself", "herself", "themselves", "themself"), "themselves"),
}
# What number words are until each run of them is one "#": "two hundred and twenty-five" is as much a number as "225".
# Control characters, which `normalise` leaves none of. A "one" without others is mostly no number.
_ONES, _TENS, _SCALE, _OTHER = "\x01", "\x02", "\x03", "\x04"
_NUMBER_WORDS = {
    **dict.fromkeys(_words("two three four five six seven eight nine"), _ONES),
    **dict.fromkeys(_words("twenty thirty forty fifty sixty seventy eighty ninety"), _TENS),
    **dict.fromkeys(_words("hundred thousand million billion dozen"), _SCALE),
    **dict.fromkeys(_words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"), _OTHER),
    **dict.fromkeys(_words("half twice thrice"), "#"),
    "one": "one",  # no name, behind a colon
}
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_ONE_TO_NINE = rf"(?:{_ONES}|one\b)"
_SMALL = rf"(?:{_TENS}(?:-{_ONE_TO_NINE}| {_ONE_TO_NINE}(?!-))?|{_ONES}|{_OTHER})"  # not in "twenty two-digit numbers"
_LARGE = rf"(?:(?:{_SMALL}|\b(?:one|[Aa]))[ -])?{_SCALE}(?:[ -]{_SCALE})*"
_NUMBER = re.compile(
    rf"(?=[{_ONES}-{_OTHER}oAa])"  # for speed
    rf"(?:{_LARGE}(?:[ -]{_LARGE})*(?:(?: and |[ -])(?!{_LARGE})(?:{_SMALL}|one\b)(?!-))?|{_SMALL})"
)
_WORD = re.compile(r"[^\W\d_]+")
_NAMED = re.compile(  # a capital inside a sentence; beyond ASCII, a letter of either case
    r"[A-Z\xc0-\uffff](?<=[^\WA-Z_] .|[,;:)$] .)[^\W\d_A-Z][^\W\d_]*\b"
)


def family_key(question: str) -> str:
    """What the members of a family share: numbers, in digits or words, are "#", people are "@", and he is she.

    The question must have been through `normalise`.
    """
    people = {name for name in _NAMED.findall(question) if name[0].isupper()}

    def plain(word: re.Match[str]) -> str:
        text, lower = word[0], word[0].lower()
        if known := _NUMBER_WORDS.get(lower) or _PRONOUNS.get(lower):
            return known
        return "@" if text in people or (text if text.isascii() else _unaccented(text)) in _PEOPLE else text

    return key_of_normal(_NUMBER.sub("#", _DIGITS.sub(_OTHER, _WORD.sub(plain, question))))


def _unaccented(name: str) -> str:
    return unicodedata.normalize("NFD", name).encode("ascii", "ignore").decode()

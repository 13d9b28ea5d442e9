"""Problem families: the same question with other numbers and other people in it."""

from __future__ import annotations

import re

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
_PRONOUNS = {"he": "they", "she": "they", "his": "their", "her": "their", "hers": "theirs", "him": "them"}
_NUMBER_WORDS = _words(
    """
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half twice
    thrice
    """
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[A-Za-z]+")
_NAMED = re.compile(r"(?<=[a-z0-9,;:)$] )[A-Z][a-z]+\b")  # a capital inside a sentence


def family_key(question: str) -> str:
    """What the members of a family share: numbers, in digits or words, are "#", people are "@", and he is she.

    The question must have been through `normalise`.
    """
    people = set(_NAMED.findall(question))

    def plain(word: re.Match[str]) -> str:
        text = word[0]
        if text in people or text in _PEOPLE:
            return "@"
        lower = text.lower()
        return "#" if lower in _NUMBER_WORDS else _PRONOUNS.get(lower, text)

    return key_of_normal(_NUMBER.sub("#", _WORD.sub(plain, question)))

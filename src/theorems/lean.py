"""Theorems in the source text of Lean 4, as benchmarks and libraries publish them: what is to be proved ends in
`:= sorry`, `:= by sorry`, `:= by` or `:=`.

Everything before it counts as its context, but for what is to be proved as well: imports, options, what is opened,
definitions and proved lemmas. PutnamBench leaves the answer to a question open and tells it in the comment below,

    abbrev putnam_easy_solution : ℕ := sorry
    -- 2

which is filled in here: a theorem about `sorry` has no proof without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from src.theorems.statement import Declaration

_COMMENT = re.compile(r"/-|--[^\n]*")
_BLOCK_EDGE = re.compile(r"/-|-/")
_CLAIM = re.compile(
    r"^(?:@\[[^\]\n]*\]\s*)?(theorem|lemma|(?:noncomputable )?(?:instance|def))\s+([^\s:({\[]+)", re.MULTILINE
)
_NEXT = re.compile(
    r"^(?:@\[|theorem|lemma|def|abbrev|noncomputable|private|protected|instance|structure|inductive|class|axiom|open"
    r"|section|namespace|end|variable|universe|local|notation|set_option|example)\b",
    re.MULTILINE,
)
_UNPROVED = re.compile(r":=\s*(?:by\b\s*)?(?:sorry\s*)?\Z")
_LEFT_OPEN = re.compile(r":=\s*sorry\b")
_ANSWER = re.compile(r"\s*\n((?:[ \t]*--[^\n]*(?:\n|\Z))+)")
_DOCSTRING = re.compile(r"/--((?:(?!-/).)*)-/\s*\Z", re.DOTALL)
_HEADER_LINE = re.compile(r"(?:import|open|set_option|noncomputable section|universe)\b|\s|\Z")
_OPENING, _CLOSING = "([{⦃⟨", ")]}⦄⟩"


def declarations(text: str) -> Iterator[Declaration]:
    """What a source text leaves to be proved, in order. Raises ValueError for a theorem without a conclusion."""
    text = text.replace("\r\n", "\n")
    bare = without_comments(text)
    before, start = "", 0
    for found in _CLAIM.finditer(bare):
        following = _NEXT.search(bare, found.end())
        end = following.start() if following else len(bare)
        signature = bare[found.end() : end].rstrip()
        ending = _UNPROVED.search(signature)
        answered = found[1].endswith("def") and _ANSWER.match(text, found.end() + len(signature))
        if ending is None or answered:
            continue  # it is proved, or its answer is told, and others may speak of it
        before += text[start : found.start()]
        informal = _DOCSTRING.search(before)
        before = _DOCSTRING.sub("", before)
        start = end
        yield _declaration(found, signature[: ending.start()], before, informal[1].strip() if informal else "")


def _declaration(found: re.Match[str], signature: str, before: str, informal: str) -> Declaration:
    keyword, name = found.groups()
    colon = _colon(signature)
    if colon is None:
        raise ValueError(f"{name} has no conclusion")
    header, context = _parts(_with_answers(before))
    binders, conclusion = _tidy(signature[:colon]), _tidy(signature[colon + 1 :])
    return Declaration(name, header, context, binders, conclusion, informal, keyword)


def source(declaration: Declaration) -> str:
    """The claim as a prover is asked for it: up to the word after which the tactics begin."""
    told = f"/-- {declaration.informal} -/\n" if declaration.informal else ""
    claim = f"{told}{signature(declaration)} := by\n"
    return "\n\n".join(part for part in (declaration.header, declaration.context, claim) if part)


def signature(declaration: Declaration) -> str:
    """The claim alone."""
    binders = f" {declaration.binders}" if declaration.binders else ""
    return f"{declaration.keyword} {declaration.name}{binders} : {declaration.conclusion}"


def negated(declaration: Declaration) -> Declaration:
    """The claim that what is declared does not hold."""
    whole = f"∀ {declaration.binders}, {declaration.conclusion}" if declaration.binders else declaration.conclusion
    return replace(declaration, binders="", conclusion=f"¬ ({whole})")


def without_comments(text: str) -> str:
    """The text with blanks for comments, each character in its old place. Block comments nest."""
    bare, place = [], 0
    while found := _COMMENT.search(text, place):
        end = found.end() if text.startswith("--", found.start()) else _block_end(text, found.end())
        bare += [text[place : found.start()], re.sub(r"[^\n]", " ", text[found.start() : end])]
        place = end
    return "".join([*bare, text[place:]])


def _block_end(text: str, place: int) -> int:
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(text, place)):
        depth += 1 if edge[0] == "/-" else -1
        place = edge.end()
    return place if not depth else len(text)


def _colon(signature: str) -> int | None:
    """Where the colon stands that no bracket holds: behind it is the conclusion."""
    depth = 0
    for place, sign in enumerate(signature):
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign == ":" and depth == 0 and signature[place + 1 : place + 2] != "=":
            return place
    return None


def _with_answers(before: str) -> str:
    """The text before a theorem, with what its comments tell in the place of `sorry`; without comments."""
    whole = ""
    bare = without_comments(before)
    place = 0
    for found in _LEFT_OPEN.finditer(bare):
        answer = _ANSWER.match(before, found.end())
        whole += bare[place : found.start()]
        if answer is None:
            place = found.start()
            continue
        lines = (line.strip().removeprefix("--") for line in answer[1].rstrip("\n").split("\n"))
        whole += ":=\n" + "\n".join(f"  {line.rstrip()}" for line in lines)
        place = found.end()
    return whole + bare[place:]


def _parts(before: str) -> tuple[str, str]:
    """The lines of imports, options and openings at the top; the rest."""
    lines = before.split("\n")
    size = next((n for n, line in enumerate(lines) if not _HEADER_LINE.match(line)), len(lines))
    return _tidy("\n".join(lines[:size])), _tidy("\n".join(lines[size:]))


def _tidy(text: str) -> str:
    """Without blanks at line ends and empty lines."""
    return "\n".join(line.rstrip() for line in text.strip().split("\n") if line.strip())

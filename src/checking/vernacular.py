"""What may stand in a proof that somebody else wrote in Rocq (Coq): tactics, and no command.

In Rocq a sentence ends with a full stop before a blank, and every command, from `Admitted` to `Redirect`, begins with a
capital letter; a tactic begins with a small one. So a proof whose sentences all begin with a small letter or a bracket,
behind bullets and goal selectors, holds no command. Characters beyond printable ASCII, quotes and comments are refused
too: the sentences that are seen here are then those that Rocq sees.
"""

from __future__ import annotations

import re

MAX_CHARS = 20_000
_PRINTABLE = re.compile(r"[ -~\t\n]*")
_SENTENCE_END = re.compile(r"\.(?=\s|\Z)")
_FRAME = re.compile(r"\A\s*(?:Proof\s*\.(?=\s))?(.*?)(?:(?<![\w.])(?:Qed|Defined)\s*\.\s*)?\Z", re.DOTALL)
_LEADING = re.compile(r"(?:[-+*{}\s]|(?:all|par|!|\d+(?:\s*[-,]\s*\d+)*|\[\s*\w+\s*\])\s*:(?!=))*")
_TACTIC = re.compile(r"[a-z_(\[]")
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
# Tactics that leave a goal open and say it is done, call other programs, or print.
_FORBIDDEN = re.compile(
    r"\b(?:admit|give_up|native_compute|native_cast_no_check|idtac|debug|info\w*|external|fail|gfail)\b"
)


def proof_body(text: str) -> str:
    """The proof without the `Proof.` and `Qed.` around it, which are ours to write."""
    found = _FRAME.match(text)
    assert found  # every part of the pattern may be empty
    return found[1].strip()


def refusal_of_proof(body: str) -> str | None:
    """Why this is not a sequence of tactics alone; None where it is."""
    if not body:
        return "empty"
    if refusal := _refusal_of_text(body):
        return refusal
    if forbidden := _FORBIDDEN.search(body):
        return forbidden[0]
    *sentences, rest = _SENTENCE_END.split(body)
    for sentence in sentences:
        start = sentence[_LEADING.match(sentence).end() :]  # type: ignore[union-attr]  # it may match nothing
        if not _TACTIC.match(start):
            return f"command {start.split(maxsplit=1)[0][:40]}" if start else "empty sentence"
    if rest[_LEADING.match(rest).end() :]:  # type: ignore[union-attr]
        return "no full stop at the end"
    return None


def refusal_of_formula(formula: str) -> str | None:
    """Why this is not one formula; None where nothing in it could end the sentence that it stands in."""
    if not formula.strip():
        return "empty"
    if refusal := _refusal_of_text(formula):
        return refusal
    if _SENTENCE_END.search(formula):
        return "several sentences"
    if not _balanced(formula):
        return "brackets"
    return "ltac" if re.search(r"\bltac\d?\s*:", formula) else None


def _balanced(formula: str) -> bool:
    """Is each bracket closed by its own kind, and none closed that was not opened?"""
    opened = []
    for sign in formula:
        if sign in _CLOSED_BY:
            opened.append(_CLOSED_BY[sign])
        elif sign in ")]}" and (not opened or opened.pop() != sign):
            return False
    return not opened


def _refusal_of_text(text: str) -> str | None:
    if len(text) > MAX_CHARS:
        return "length"
    if not _PRINTABLE.fullmatch(text):
        return "characters"
    if '"' in text:
        return "quotes"
    return "comments" if "(*" in text else None

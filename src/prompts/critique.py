"""What a teacher is told when a check refuses its problem: the finding, and one chance to correct it."""

from __future__ import annotations

_TEMPLATE = """{prompt}

---
You answered:

{answer}

A check of this answer found: {finding}

Write the problem and its solution again, corrected, and as short as it can be. Change what the check found, and the \
question where it must change with it. Give nothing but the corrected answer, in the form that was asked for above."""


def critique(prompt: str, answer: str, finding: str) -> str:
    """The prompt of a correction: what was asked, what was answered, and what is wrong with it."""
    # in one pass: an answer may hold braces
    return _TEMPLATE.format(prompt=prompt, answer=answer.strip(), finding=finding)

"""Rules that a parsed problem must pass, each with the reason it gives when it does not.

A rule is a function of the problem and the options; it returns a short phrase, the same for all problems of its
sort, or None. They are cheap (tens of microseconds) and look at the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from src.text.parsing import ParsedProblem

_BLOCK = re.compile(r"^[ \t]*```.*?^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"^[ \t]*```[ \t]*output.*?^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)

_LEFTOVER = re.compile(
    r"\[(?:new )?(?:problem|solution)\]|^#+ *(?:new problem|guidelines|math text|solved example)\b"
    r"|\[(?:(?:grade|middle|high)_school|college|amc(?:8|10|12)|aime|any)(?: code)?\]"
    r"|\{(?:passage|example)\}|<\|[\w ]+\|>|</?s>"
    r"|\bas an ai\b|\bas a language model\b|\bhere is (?:a|the) (?:new )?problem\b",
    re.IGNORECASE | re.MULTILINE,
)

_FIGURE = r"figure|diagram|picture|image|drawing|illustration|graph|chart|plot"
_MISSING_FIGURE = re.compile(
    rf"\b(?:{_FIGURE})s? (?:above|below|(?:shown|given) (?:above|below|here))\b"
    rf"|\b(?:above|following|accompanying|adjoining) (?:{_FIGURE})\b"
    rf"|\bin the (?:figure|diagram|picture|image|drawing|illustration)\b"
    rf"|\b(?:as|is|are) (?:shown|pictured|depicted|illustrated)\b(?! that)|\bfigure \d",
    re.IGNORECASE,
)
_HAS_FIGURE = re.compile(
    r"\[asy\]|\\begin\{(?:tikz\w*|tabular|array|CD)\}|!\[[^\]]*\]\(|```|^\|.*\|$", re.IGNORECASE | re.MULTILINE
)
_MISSING_PASSAGE = re.compile(
    r"\b(?:according to|based on|as (?:described|mentioned|stated|given) in|from|in|described in|using) the"
    r" (?:(?:given|above|following|provided|previous) )?(?:passage|excerpt|text|article|paragraph|document|math text)\b"
    r"|\bthe (?:passage|excerpt|text|article) (?:above|below|says|states|mentions|describes)\b",
    re.IGNORECASE,
)
# "$20 and $30 each", "$x a piece": money, not mathematics. A dollar before what ends where a word would.
_MONEY = re.compile(r"(?<![\w\\$])\$(?:\d[\d,]*(?:\.\d+)?(?:k|m|bn)?|[a-z])(?=[\s.,;:!?)/*'\-]|$)", re.MULTILINE)
_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), (r"\left", r"\right"), (r"\begin{", r"\end{"))


@dataclass(frozen=True)
class Rules:
    """What is asked of a problem. None switches a rule off.

    question_chars, solution_chars: least and most characters.
    boxed: the solution must hold its final answer in a box. Only about a quarter of the released corpus has one,
        but without one nothing can be verified.
    answer_chars: a longer boxed answer is a sentence, not an answer.
    repeated_words: greatest share of the words of question or solution that lie in a 10-gram seen before
        (Gopher's measure, arXiv 2112.11446, Table A1, where whole documents may reach 0.10). A worked solution
        repeats itself more: at 0.3 the rule refuses 0.2 to 0.7 % of the released corpora's samples.
    leftovers, missing_context, latex: refuse text of the prompt, references to an absent figure or passage, and
        LaTeX that does not balance.
    """

    question_chars: tuple[int, int] | None = (15, 4_000)
    solution_chars: tuple[int, int] | None = (20, 12_000)
    boxed: bool = True
    answer_chars: int | None = 200
    repeated_words: float | None = 0.3
    leftovers: bool = True
    missing_context: bool = True
    latex: bool = True

    def __post_init__(self) -> None:
        for name in ("question_chars", "solution_chars"):
            bounds = getattr(self, name)
            if bounds is not None:
                low, high = bounds
                object.__setattr__(self, name, (low, high))
                if not 0 <= low <= high:
                    raise ValueError(f"{name} must be two numbers, least and most, not {list(bounds)}")
        if self.repeated_words is not None and not 0 <= self.repeated_words <= 1:
            raise ValueError(f"repeated_words must lie in [0, 1], not {self.repeated_words}")
        if self.answer_chars is not None and self.answer_chars < 1:
            raise ValueError(f"answer_chars must be positive, not {self.answer_chars}")

    def reason(self, problem: ParsedProblem) -> str | None:
        """Why the problem is refused: the first rule that it breaks, or None."""
        return next((reason for rule in RULES if (reason := rule(problem, self))), None)


def length(problem: ParsedProblem, rules: Rules) -> str | None:
    for name, text, bounds in (
        ("question", problem.question, rules.question_chars),
        ("solution", problem.solution, rules.solution_chars),
    ):
        if bounds is not None and len(text) < bounds[0]:
            return f"{name} too short"
        if bounds is not None and len(text) > bounds[1]:
            return f"{name} too long"
    return None


def answered(problem: ParsedProblem, rules: Rules) -> str | None:
    if problem.answer is None:
        return "no boxed answer" if rules.boxed else None
    too_long = rules.answer_chars is not None and len(problem.answer) > rules.answer_chars
    return "boxed answer too long" if too_long else None


def leftover_prompt(problem: ParsedProblem, rules: Rules) -> str | None:
    found = rules.leftovers and (_LEFTOVER.search(problem.question) or _LEFTOVER.search(prose(problem.solution)))
    return "leftover prompt text" if found else None


def missing_context(problem: ParsedProblem, rules: Rules) -> str | None:
    if not rules.missing_context or _HAS_FIGURE.search(problem.question):
        return None
    if _MISSING_FIGURE.search(problem.question):
        return "refers to a missing figure"
    if _MISSING_PASSAGE.search(problem.question):
        return "refers to a missing passage"
    return None


def repetition(problem: ParsedProblem, rules: Rules) -> str | None:
    if rules.repeated_words is None:
        return None
    for name, text in (("question", problem.question), ("solution", _OUTPUT.sub("", problem.solution))):
        if repeated_share(text.split()) > rules.repeated_words:
            return f"{name} repeats itself"
    return None


def latex(problem: ParsedProblem, rules: Rules) -> str | None:
    balanced = not rules.latex or (latex_balances(problem.question) and latex_balances(prose(problem.solution)))
    return None if balanced else "unbalanced LaTeX"


RULES: tuple[Callable[[ParsedProblem, Rules], str | None], ...] = (
    length,
    answered,
    leftover_prompt,
    missing_context,
    latex,
    repetition,
)


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _BLOCK.sub("", text)


def repeated_share(words: list[str], n: int = 10) -> float:
    """The share of words that lie in an n-gram which stood before in the text."""
    seen: set[tuple[str, ...]] = set()
    covered = 0  # words counted so far end here
    repeated = 0
    for start in range(len(words) - n + 1):
        gram = tuple(words[start : start + n])
        if gram in seen:
            repeated += start + n - max(start, covered)
            covered = start + n
        else:
            seen.add(gram)
    return repeated / len(words) if words else 0.0


def latex_balances(text: str) -> bool:
    r"""Whether braces, `$`, `\(`, `\[`, `\left` and `\begin` all find their partners; money is no formula."""
    text = text.replace(r"\\", "  ")
    if any(_count(text, opening) != _count(text, closing) for opening, closing in _PAIRS):
        return False
    text = text.replace(r"\{", "  ").replace(r"\}", "  ").replace(r"\$", "  ")
    if not _nests(text):
        return False
    return text.count("$") % 2 == 0 or _MONEY.sub("", text).count("$") % 2 == 0


def _count(text: str, command: str) -> int:
    """Occurrences of a command, not of a longer one: `\\left` but not `\\leftarrow`."""
    return len(re.findall(re.escape(command) + (r"(?![a-zA-Z])" if command[-1].isalpha() else ""), text))


def _nests(text: str) -> bool:
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0

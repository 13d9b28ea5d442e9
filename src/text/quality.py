"""Rules that a parsed problem must pass, each with the reason it gives when it does not.

A rule is a function of the problem and the options; it returns a short phrase, the same for all problems of its
sort, or None. They are cheap (tens of microseconds) and look at the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from src.core.checks import at_least
from src.text.normalise import question_key
from src.text.parsing import ParsedProblem
from src.text.topics import fits, read

_BLOCK = re.compile(r"^[ \t]*```.*?^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"^[ \t]*```[ \t]*output.*?^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)

_LEFTOVER = re.compile(
    r"\[(?:/|(?:new|revised|corrected) )?(?:problem|solution)\]|</(?:problem|solution|scratchpad)>"
    r"|^#+ *(?:new problem|guidelines|math text|solved example)\b"
    r"|\[(?:(?:grade|middle|high)_school|college|amc(?:8|10|12)|aime|any)(?: code)?\]"
    r"|\{(?:passage|example)\}|<\|[\w ]+\|>|</?s>"
    r"|\bas an ai\b|\bas a language model\b|\bhere is (?:a|the) (?:new )?problem\b",
    re.IGNORECASE | re.MULTILINE,
)

# One of these stands wherever the pattern finds something; looking for plain strings is 20 times as fast.
_LEFTOVER_HINTS = (
    *(
        "[problem]",
        "[solution]",
        "[new ",
        "[/",
        "[revised",
        "[corrected",
        "</",
        "[grade_school",
        "[middle_school",
        "[high_school",
        "[college",
        "[amc",
    ),
    *("[aime", "[any", "{passage}", "{example}", "<|", "<s>", "</s>", "new problem", "guidelines", "math text"),
    *("solved example", "as an ai", "as a language model", "here is a ", "here is the "),
)
_LEFTOVER_WORDS = tuple(hint for hint in _LEFTOVER_HINTS if hint[0] not in "[{<")

_FIGURE = r"figure|diagram|picture|image|drawing|illustration|graph|chart|plot"
_MISSING_FIGURE = re.compile(
    rf"\b(?:{_FIGURE})s? (?:above|below|(?:shown|given) (?:above|below|here))\b"
    rf"|\b(?:above|following|accompanying|adjoining) (?:{_FIGURE})\b"
    rf"|\bin the (?:figure|diagram|picture|image|drawing|illustration)\b(?! of\b)"
    rf"|\b(?:as|is|are) (?:shown|pictured|depicted|illustrated)\b(?! (?:that|to|by)\b| on (?!the (?:right|left)\b))"
    rf"(?![^.?!\n]{{0,80}}:[ \t]*\n)"  # "is shown below:" announces what follows
    rf"|\bfigure \d",
    re.IGNORECASE,
)
_HAS_FIGURE = re.compile(
    r"\[asy\]|\\begin\{(?:tikz\w*|tabular|array|CD)\}|!\[[^\]]*\]\(|```|^\|.*\|$", re.IGNORECASE | re.MULTILINE
)
_FIGURE_HINTS = (*_FIGURE.split("|"), "shown", "pictured", "depicted", "illustrated")
_MISSING_PASSAGE = re.compile(
    r"\b(?:according to|based on|as (?:described|mentioned|stated|given) in|from|in|described in|using) the"
    r" (?:(?:given|above|following|provided|previous) )?(?:passage|excerpt|text|article|paragraph|document|math text)\b"
    r"|\bthe (?:passage|excerpt|text|article) (?:above|below|says|states|mentions|describes)\b",
    re.IGNORECASE,
)
_PASSAGE_HINTS = ("passage", "excerpt", "text", "article", "paragraph", "document")
# A dollar that may be money: "$20-$13", "$.50", "$ 572", "200$", "$x a piece", "$5x.", "$<<9*2=18>>18" as GSM8K writes
# its reckonings; not "$2x + 3" or "$x = 3".
_MONEY = re.compile(
    r"\$[ ]?(?:<<[^<>\n]*>>)?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:k|m|bn)?(?![\w\\^{}])"
    r"|(?<![\w\\^.])\d[\d,]*(?:\.\d+)?[ ]?\$|\$\d{0,6}[a-z](?=[.,;:!?)/*'\-]{0,2}(?:\s+(?:an? |[A-Za-z]{2})|\s*$))",
    re.MULTILINE,
)
_SAID = re.compile(r"\\(?:text\w*|math\w+|mbox)\s*\{+[^{}]*\}+")
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}[,;]? +[a-z]{2,}\b|\n[ \t]*\n")  # what no formula holds
_MARK_UP = re.compile(r"\\[a-zA-Z]+|[$^_&{}]+[^\s$]*")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    the be to of and that have with a an is are in if for by we how what so has as at from each this on it
""",
    )
)
_ENUMERATED = re.compile(r"(?:^|\n)[ \t]*(?:\(?(?:[a-h]|[ivx]{1,4})\)|(?:part )?\(?[1-9][.)])[ \t]+\S", re.IGNORECASE)
_INLINE_PARTS = re.compile(r"(?<=[\s;,])\(([a-h])\)\s")
_ASKED = re.compile(r"\?(?=[\s\"')\]]|$)")
_GIVEN_AWAY = re.compile(
    r"\b(?:the |its |final |correct )*(?:answer|ans)\b\s*(?:is|:|=)\s*(?P<said>[^\n]{1,60})", re.IGNORECASE
)
_NO_ANSWER = re.compile(
    r"[\s?.…_\-]*|(?:the |your |final )*answer(?: here)?|n/?a|none|unknown|undefined variable|tbd|x{2,}|value|result"
    r"|(?:is |has been )?(?:proved|proven|shown|verified|done)|q\.?\s?e\.?\s?d\.?|(?:the )?proof(?: (?:is )?complete)?"
    r"|see (?:above|below|(?:the )?(?:solution|proof|explanation))|(?:answers? )?var(?:y|ies)",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_LAYOUT = re.compile(r"(?:\\(?:begin|end)\{[^{}]*\}(?:\{[lcr|]*\})?|\\[a-zA-Z]+|[\s&{}\\$])+")
_HANGS = re.compile(r"(?:[-+*/=^_(,\\]|\\(?:times|cdot|frac|sqrt|le|ge))\s*$")
_PAIRS = ((r"\(", r"\)"), (r"\[", r"\]"), (r"\left", r"\right"), (r"\begin{", r"\end{"))


@dataclass(frozen=True)
class Rules:
    """What is asked of a problem. None switches a rule off.

    question_chars, solution_chars: least and most characters.
    boxed: the solution must hold its final answer in a box. Only about a quarter of the released corpus has one,
        but without one nothing can be verified.
    answer_chars: a longer boxed answer is a sentence, not an answer. Commands and alignment of LaTeX are not counted: a
        matrix of 25 numbers is an answer.
    repeated_words: greatest share of the words of question or solution that lie in a 10-gram seen before
        (Gopher's measure, arXiv 2112.11446, Table A1, where whole documents may reach 0.10). A worked solution
        repeats itself more: at 0.3 the rule refuses 0.2 to 0.7 % of the released corpora's samples.
    leftovers, missing_context, latex: refuse text of the prompt, references to an absent figure or passage, and
        LaTeX that does not balance.
    english: refuse problems whose letters are mostly of another script, and those of 40 words or more that hold
        fewer than two stop words (Gopher's rule, arXiv 2112.11446, Table A1; its list of eight would refuse 2.5 % of
        the released fine-tuning sample, whose problems are short, so the list here is longer).
    questions: how many things may be asked in one problem, as question marks or numbered parts.
    leaks: refuse a question that says its own answer.
    answer_parses: refuse boxes that hold a placeholder or half a formula.
    stage_terms: refuse questions with terms from above their stage: a derivative in grade school.
    """

    question_chars: tuple[int, int] | None = (15, 4_000)
    solution_chars: tuple[int, int] | None = (20, 12_000)
    boxed: bool = True
    answer_chars: int | None = 200
    repeated_words: float | None = 0.3
    leftovers: bool = True
    missing_context: bool = True
    latex: bool = True
    english: bool = True
    questions: int | None = None
    leaks: bool = True
    answer_parses: bool = True
    stage_terms: bool = False

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
        at_least(self, 1, "questions")

    def reason(self, problem: ParsedProblem, stage: str = "") -> str | None:
        """Why the problem is refused: the first rule that it breaks, or None."""
        if self.stage_terms and not fits(stage, read(problem.question, question_key(problem.question)).level):
            return "terms from above its stage"
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
    too_long = (
        rules.answer_chars is not None
        and len(problem.answer) > rules.answer_chars
        and len(_LAYOUT.sub(" ", problem.answer)) > rules.answer_chars
    )
    return "boxed answer too long" if too_long else None


def leftover_prompt(problem: ParsedProblem, rules: Rules) -> str | None:
    found = rules.leftovers and (_holds_leftover(problem.question) or _holds_leftover(prose(problem.solution)))
    return "leftover prompt text" if found else None


def _holds_leftover(text: str) -> bool:
    hints = _LEFTOVER_HINTS if "[" in text or "{" in text or "<" in text else _LEFTOVER_WORDS
    return _hinted(text, hints) and _LEFTOVER.search(text) is not None


def _hinted(text: str, hints: Sequence[str]) -> bool:
    """Whether a pattern that needs one of the hints may find something. Beyond ASCII it always may: there, letters
    have more than one lower case."""
    lower = text.lower()
    return any(hint in lower for hint in hints) or not text.isascii()


def missing_context(problem: ParsedProblem, rules: Rules) -> str | None:
    question = problem.question
    if not rules.missing_context:
        return None
    if _hinted(question, _FIGURE_HINTS) and _MISSING_FIGURE.search(question) and not _HAS_FIGURE.search(question):
        return "refers to a missing figure"
    if _hinted(question, _PASSAGE_HINTS) and _MISSING_PASSAGE.search(question) and not _HAS_FIGURE.search(question):
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


def language(problem: ParsedProblem, rules: Rules) -> str | None:
    if not rules.english:
        return None
    text = f"{problem.question}\n{prose(problem.solution)}"
    if not text.isascii():
        letters = [c for c in text if c.isalpha()]
        foreign = sum(  # beyond Latin (to U+024F), Greek and the mathematical alphabets
            c > "\u024f" and not "\u0370" <= c <= "\u03ff" and not "\U0001d400" <= c <= "\U0001d7ff" for c in letters
        )
        if foreign > 0.2 * len(letters):
            return "not English"
    words = re.findall(r"[^\W\d_]{2,}", _MARK_UP.sub(" ", text).lower())
    return "not English" if len(words) >= 40 and len(_STOP_WORDS.intersection(words)) < 2 else None


def one_question(problem: ParsedProblem, rules: Rules) -> str | None:
    if rules.questions is None:
        return None
    parts = len(_ENUMERATED.findall(problem.question)), len(set(_INLINE_PARTS.findall(problem.question)))
    asked = max(len(_ASKED.findall(problem.question)), *parts)
    return "several questions in one" if asked > rules.questions else None


def leaked_answer(problem: ParsedProblem, rules: Rules) -> str | None:
    if not rules.leaks or not _hinted(problem.question, ("boxed", "ans")):
        return None
    if "\\boxed" in problem.question:
        return "answer in the question"
    for match in _GIVEN_AWAY.finditer(problem.question):
        if problem.answer and _says(match["said"], problem.answer):
            return "answer in the question"
    return None


def _says(text: str, answer: str) -> bool:
    """Whether the text begins with the answer, and with no longer number or word."""
    text, answer = (re.sub(r"[\s$*{}\\]", "", t).casefold() for t in (text, answer))
    return bool(answer) and text.startswith(answer) and not text[len(answer) : len(answer) + 1].isalnum()


def readable_answer(problem: ParsedProblem, rules: Rules) -> str | None:
    answer = problem.answer
    if not rules.answer_parses or answer is None or answer.isdigit():
        return None
    opened = sum(answer.count(c) for c in "([") - sum(answer.count(c) for c in ")]")
    said = _TEXT.sub(r"\1", answer).strip(" $.!")
    bad = _NO_ANSWER.fullmatch(said) or _HANGS.search(answer) or not latex_balances(answer) or opened
    return "boxed answer that does not parse" if bad else None


RULES: tuple[Callable[[ParsedProblem, Rules], str | None], ...] = (
    length,
    answered,
    readable_answer,
    leftover_prompt,
    missing_context,
    leaked_answer,
    one_question,
    latex,
    language,
    repetition,
)


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _BLOCK.sub("", text) if "```" in text else text


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
    if "\\" in text:
        text = text.replace(r"\\", "  ")
        if any(_count(text, opening) != _count(text, closing) for opening, closing in _PAIRS):
            return False
        text = text.replace(r"\{", "  ").replace(r"\}", "  ").replace(r"\$", "  ")
    if not _nests(text):
        return False
    return "$" not in text or _dollars_pair(_INLINE_CODE.sub("", text) if "`" in text else text)


def _dollars_pair(text: str) -> bool:
    """Whether each dollar can be money, or open or close a formula, which lies between two neighbouring dollars of one
    paragraph and holds no prose."""
    pieces = text.split("$")
    if len(pieces) % 2 and _is_formula("$".join(pieces[1::2])):
        return True
    places = [match.start() for match in re.finditer(r"\$", text)]
    holds = [_is_formula(piece) for piece in pieces[1:-1]]
    money = {match.start() + match[0].index("$") for match in _MONEY.finditer(text)}
    explained = [True, True]  # by place, from the last on: what stands from this dollar on
    for place, opens in zip(reversed(places), [False, *reversed(holds)], strict=True):
        explained.append((place in money and explained[-1]) or (opens and explained[-2]))
    return explained[-1]


def _is_formula(text: str) -> bool:
    return not _WORDS.search(_SAID.sub(" ", text) if "\\" in text else text)


def _count(text: str, command: str) -> int:
    """Occurrences of a command, not of a longer one: `\\left` but not `\\leftarrow`."""
    if command not in text or not command[-1].isalpha():
        return text.count(command)
    return len(re.findall(re.escape(command) + r"(?![a-zA-Z])", text))


def _nests(text: str) -> bool:
    if "{" not in text and "}" not in text:
        return True
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0

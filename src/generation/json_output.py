r"""Answers as JSON: an object of problem and solution, made to read like any other text.

LaTeX in JSON wants every backslash twice, and models forget it. Decoded as it stands, `\frac` is a form feed and
"rac", `\times` a tab and "imes", `\boxed` a backspace and "oxed", `\neq` a new line and "eq".
"""

from __future__ import annotations

import json
import re

from src.generation.refusals import Unreadable
from src.text.parsing import format_response
from src.text.readable import UNREADABLE_CHARACTERS, readable

PROBLEM_SCHEMA = {
    "type": "object",
    "properties": {
        "problem": {"type": "string", "description": "The new problem, complete in itself."},
        "solution": {"type": "string", "description": "Its solution, step by step, the final answer in \\boxed{}."},
    },
    "required": ["problem", "solution"],
    "additionalProperties": False,
}
RESPONSE_FORMATS = {
    "schema": {
        "type": "json_schema",
        "json_schema": {"name": "problem_and_solution", "strict": True, "schema": PROBLEM_SCHEMA},
    },
    "object": {"type": "json_object"},
}
ASKED_FOR = '\n\nAnswer with one JSON object and nothing else: {"problem": "...", "solution": "..."}'
MENDED = "backslashes mended in JSON"

# LaTeX commands whose first letter is an escape of JSON's too. \b and \f need no list: no text wants them.
_COMMANDS = {
    "n": "nabla ncong ne nearrow neg neq newline nexists ngeq ngtr ni nleq nless nmid nolimits nonumber not notag "
    "notin nparallel nrightarrow nsubseteq nsupseteq nu nwarrow",
    "r": "raisebox rangle rbrace rbrack rceil Re rfloor rgroup rho right rightarrow rightharpoonup rightleftharpoons "
    "rm root rtimes rule rvert",
    "t": "tag tan tanh tau tbinom text textbf textit textrm textstyle textsf texttt tfrac therefore theta thickapprox "
    "thinspace tilde times tiny to top triangle triangleleft triangleright triangleq",
    "u": "unlhd underbrace underline underset uparrow uplus upsilon updownarrow",
}
_KNOWN = {letter: frozenset(words.split()) for letter, words in _COMMANDS.items()}
_INDENTED = re.compile(r"(?:\\n|\\t|[\n\t])[ \t]*$")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[A-Za-z]+|.)", re.DOTALL)
# What cannot be text any more: control characters, and a tab where a command lost its first letter.
_BEHEADED = "|".join(sorted(word[1:] for word in _KNOWN["t"] if len(word) > 3))
_UNREADABLE = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f]|(?<=\S) *\t(?=(?:{_BEHEADED})(?![a-zA-Z]))")


def read_json(text: str) -> tuple[str, str | None]:
    """(the text in the format of all other generators, what was odd about it). Raises Unreadable for what is no such
    object, and for a control character that cannot be explained."""
    found = _object_in(text)
    mended = found
    try:
        mended = _double_backslashes(found)
        said = json.loads(mended, strict=False)
        problem, solution = said["problem"], said["solution"]
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"no JSON object of problem and solution: {error}") from None
    if not isinstance(problem, str) or not isinstance(solution, str):
        raise Unreadable("no JSON object of problem and solution: they are not text")
    if control := _UNREADABLE.search(problem + solution):
        raise Unreadable(f"a control character (U+{ord(control[0][-1]):04X}) in JSON")
    raw = format_response(problem, solution)
    text = readable(raw)  # an escape of JSON's may be half a surrogate pair
    notes = [note for note, holds in ((MENDED, mended != found), (UNREADABLE_CHARACTERS, text != raw)) if holds]
    return text, ", ".join(notes) or None


def _object_in(text: str) -> str:
    """The outermost braces: what stands around them (a code fence, a sentence) goes."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text


def _double_backslashes(text: str) -> str:
    """Double those that begin a LaTeX command or that JSON does not know.

    A new line before "eq" may be meant, one of a text that forgets its backslashes elsewhere is not.
    """
    careless = any(_surely_latex(text, match) for match in _ESCAPE.finditer(text))

    def mend(match: re.Match[str]) -> str:
        forgotten = _surely_latex(text, match) or (careless and _command(match[1]))
        return "\\" + match[0] if forgotten else match[0]

    return _ESCAPE.sub(mend, text)


def _surely_latex(text: str, match: re.Match[str]) -> bool:
    word = match[1]
    if word[0] in '"\\/':
        return False
    if word[0] == "u" and re.fullmatch(r"u[0-9a-fA-F]{4}", word):
        return False
    if word[0] == "t":
        return _command(word) and not _INDENTED.search(text[max(0, match.start() - 12) : match.start()])
    if word[0] == "n":
        return False
    if word[0] in "bf":
        return len(word) > 1
    return word[0] != "r" or _command(word)


def _command(word: str) -> bool:
    return word in _KNOWN.get(word[0], ())

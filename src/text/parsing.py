r"""Reading what a generator wrote: question, worked solution, final answer.

The one format, written and read here:

    [Problem]
    <question>

    [Solution]
    <worked solution, final answer in \boxed{}>

A solution of kind "tool" is a ```python block, an ```output block with what it printed, and a sentence with the box.
Generators stray from it; what can be mended without guessing is mended, and the repair is recorded by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from src.core.records import Generation, Problem, content_id
from src.text.boxed import last_boxed
from src.text.normalise import normalise


@dataclass(frozen=True, slots=True)
class ParsedProblem:
    """A generation, read. `answer` is None where the solution holds no box; `repairs` names what was mended."""

    question: str
    solution: str
    answer: str | None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a text is no problem: a short phrase, the same for all texts of its sort. `detail`: what it is in this one,
    where a check can say."""

    reason: str
    detail: str = field(default="", compare=False)

    @property
    def finding(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class _Header:
    kind: str  # "problem" or "solution"
    start: int
    end: int


# The tag as it is asked for, also dressed up: "**[Problem]**", "## [Solution]:", "[New Problem]", "[Problem 1]".
_TAG = re.compile(
    r"^[ \t#*_>]*\[(?:(?:new|revised|corrected) )?(problem|solution)(?: \d+)?\][ \t*_:]*", re.IGNORECASE | re.MULTILINE
)
# The same thing said in another way, looked for only where the tag is missing: "## Question", "Solution:".
_VARIANT = re.compile(
    r"""^[ \t>]*(?:
        (?:\#{1,6}|\*\*|__)[ \t]*(?:new[ \t]+)?(?P<a>problem|question|solution|answer)
            (?:[ \t]+statement|[ \t]*\#?\d{1,3})?[ \t]*[:.]?[ \t]*(?:\*\*|__)?[ \t]*:?[ \t]*$
      | (?:\*\*|__)?(?:new[ \t]+)?(?P<b>problem|question|solution)(?:[ \t]*\#?\d{1,3})?[ \t]*:[ \t]*(?:\*\*|__)?[ \t]*
      | <(?P<c>problem|question|solution)>[ \t]*
    )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_WRAPPING_FENCE = re.compile(
    r"^```(?:text|markdown|md|latex|plaintext)?[ \t]*\n(?=[\s#*_>]*\[?(?:new )?problem)", re.IGNORECASE | re.MULTILINE
)
# What remains of a command whose backslash was read as an escape: "\\frac" came as a form feed and "rac".
_LOST_BACKSLASH = re.compile(
    r"\f(?=rac\b|orall\b|box\b)|\t(?=imes\b|ext\b|frac|heta\b|riangle)|\x08(?=oxed|eta\b|inom|egin|ar\b|igl?\b)"
    r"|\r(?=ight|angle|ho\b)|(?<= )\n(?=eq\b|abla\b|otin\b)|\x0b(?=ec\b|arphi|ert\b)|\x07(?=lpha|ngle|pprox|st\b)"
)
_ESCAPES = {"\f": "f", "\t": "t", "\x08": "b", "\r": "r", "\n": "n", "\x0b": "v", "\x07": "a"}
_DAMAGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
# How models mark their thoughts; the opening mark is often part of the chat template, and not in the text.
THOUGHT_MARKS = (
    *((f"<{word}>", f"</{word}>") for word in ("think", "thinking", "thought", "reasoning", "seed:think")),
    *((f"<{word}>", f"</{word}>") for word in ("scratchpad", "reflection")),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("assistantanalysis", "assistantfinal"),  # the same where a decoder leaves out the special tokens
)
_THOUGHTS = re.compile(  # any of them; a group holds something at an end
    r"[<\[◁](/?)(?:seed:)?(?:think|thinking|thought|reasoning|scratchpad|reflection)[>\]▷]|<\|(?:START|(END))_THINKING\|>"
    r"|<\|channel\|>(?:analysis|(final))<\|message\|>|assistant(?:analysis|(final))",
    re.IGNORECASE,
)
# Special tokens of chat templates where a text begins and ends.
_TURN_BEGINS = re.compile(r"\A(?:\s*<[|｜][\w▁ ]{1,30}[|｜]>)+\s*")
_TURN_ENDS = re.compile(r"(?:\s*(?:<[|｜][\w▁ ]{1,30}[|｜]>|</s>|<eos>|<end_of_turn>))+\s*\Z")
_CLOSING = re.compile(
    r"(?:\s*(?:\[/(?:problem|solution|question)\]|</(?:problem|solution|question|answer)>))+\s*\Z", re.I
)
# After the last box, before a second problem: the first is given up.
_GIVEN_UP = re.compile(
    r"\b(?:revis|correct(?:ed|ion)|rewrit|redo|try again|mistake|error|(?:my|the) (?:final|response))|</\w+>\s*\Z", re.I
)
_REMARK = re.compile(
    r"\n\n(?:-{3,}\s*)?(?:(?:please )?let me know|feel free|(?:i )?hope (?:this|that)|would you like|is there anything"
    r"|if you(?:'d| would)? (?:like|need|have|want)|happy to)\b(?:(?!\\boxed)[^\n]){0,400}\Z",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
_LAST_HEADING = re.compile(r"\n\n## [\w -]+\n?\Z")  # JiuZhang3.0 has "## Step-by-Step Solution" as well
_CODE = re.compile(r"^[ \t]*```[ \t]*(?:python|py)\w*[ \t]*\n", re.MULTILINE | re.IGNORECASE)


def parse_generation(text: str, kind: str) -> ParsedProblem | Rejection:
    """Read a generation of kind "cot" or "tool"."""
    repairs: list[str] = []
    text = _unthought(_backslashed(text, repairs), repairs)
    if _THOUGHTS.search(text):
        return Rejection("cut off in its thoughts")
    text = _without_tokens(text, repairs)
    if _DAMAGE.search(text):
        return Rejection("damaged characters")
    text = _unwrap(normalise(text), repairs)
    if not text:
        return Rejection("empty generation")
    sections = _as_asked(text) or _split(text, kind, repairs)
    if isinstance(sections, Rejection):
        return sections
    question, solution = (_closed(section, repairs) for section in sections)
    if "second problem cut off" in repairs and _GIVEN_UP.search(solution, max(0, solution.rfind("boxed{"))):
        return Rejection("a draft before another problem")
    solution = _without_remark(solution, repairs)
    if not question:
        return Rejection("empty question")
    if not solution:
        return Rejection("empty solution")
    if kind == "tool":
        if not _CODE.search(solution):
            return Rejection("no code block")
        if len(_FENCE.findall(solution)) % 2:
            return Rejection("unclosed code block")
    return ParsedProblem(question, solution, last_boxed(solution) or None, tuple(repairs))


def format_response(question: str, solution: str) -> str:
    """What a generator is taught to write: the inverse of `parse_generation` on texts that hold no tag of their own."""
    return f"[Problem]\n{question}\n\n[Solution]\n{solution}"


class Solved(Protocol):
    """What it takes to be a training row: a `Problem`, or one that was built solved."""

    @property
    def kind(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def solution(self) -> str: ...


def format_pretraining(problem: Solved) -> tuple[str, str]:
    """(prompt, response) in the format of the paper's released corpora; the loss falls on the response only.

    A problem of the kind "plain" has no headings: what it says is symbols.
    """
    if problem.kind == "plain":
        return plain_prompt(problem.question), problem.solution
    header = "## Code Solution" if problem.kind == "tool" else "## Solution"
    return f"## Question\n{problem.question}\n\n{header}\n", problem.solution


def plain_prompt(question: str) -> str:
    """A prompt of symbols alone."""
    return f"{question}\n"


def question_in(prompt: str) -> str:
    """The question in the prompt of a training row: what stands between the corpus's headings, where it has them."""
    return _LAST_HEADING.sub("", prompt.removeprefix("## Question\n"))


def to_problem(generation: Generation, parsed: ParsedProblem, round: int) -> Problem:
    """The record of a parsed generation. Its id is the hash of the prompt and of what was written for it."""
    return Problem(
        id=content_id(generation.prompt_id, parsed.question, parsed.solution),
        prompt_id=generation.prompt_id,
        passage_id=generation.passage_id,
        stage=generation.stage,
        kind=generation.kind,
        question=parsed.question,
        solution=parsed.solution,
        answer=parsed.answer,
        generator=generation.generator,
        round=round,
    )


def _backslashed(text: str, repairs: list[str]) -> str:
    """Give commands their backslash back where reading JSON took it for the beginning of a control character."""
    mended, lost = _LOST_BACKSLASH.subn(lambda lost: "\\" + _ESCAPES[lost[0]], text)
    if lost:
        repairs.append("lost backslash")
    return mended


def _unthought(text: str, repairs: list[str]) -> str:
    """What follows the last end of the model's thoughts: a draft in them is not the problem."""
    ends = [mark.end() for mark in _THOUGHTS.finditer(text) if any(mark.groups())]
    if not ends:
        return text
    repairs.append("thoughts cut off")
    return text[ends[-1] :]


def _without_tokens(text: str, repairs: list[str]) -> str:
    """The text without the special tokens of a chat template around it."""
    if "<" not in text:
        return text
    bare = _TURN_ENDS.sub("", _TURN_BEGINS.sub("", text))
    if bare != text:
        repairs.append("special tokens cut off")
    return bare


def _closed(section: str, repairs: list[str]) -> str:
    """The section without a closing tag that nobody asked for."""
    if not section.endswith(("]", ">")) or (bare := _CLOSING.sub("", section)) == section:
        return section
    repairs.append("closing tag")
    return bare


def _unwrap(text: str, repairs: list[str]) -> str:
    """Take off a code fence around question and solution, with what stands before and after it."""
    opening = _WRAPPING_FENCE.search(text) if "```" in text else None
    if opening is None or _TAG.search(text, 0, opening.start()):
        return text
    repairs.append("code fence")
    if text[: opening.start()].strip():
        repairs.append("text before the problem")
    inner = text[opening.end() :]
    if len(_FENCE.findall(inner)) % 2 == 0:
        return inner
    inner, _, after = inner.rpartition("```")
    if after.strip():
        repairs.append("text after the solution")
    return inner.rstrip()


def _without_remark(solution: str, repairs: list[str]) -> str:
    """The solution without a last paragraph that speaks to whoever asked for it."""
    remark = _REMARK.search(solution)
    if remark is None:
        return solution
    repairs.append("text after the solution")
    return solution[: remark.start()].rstrip()


def _as_asked(text: str) -> tuple[str, str] | None:
    """Question and solution of a text in just the form that is asked for, as most are; None for any other."""
    if not text.startswith("[Problem]\n") or "```" in text or "~~~" in text or not text.isascii():
        return None
    at, lower = text.find("\n[Solution]\n"), text.lower()
    if (
        at < 0
        or any(f"[{word} " in lower for word in ("new", "revised", "corrected"))
        or lower.count("[problem]") != 1
        or lower.count("[solution]") != 1
    ):
        return None
    return text[len("[Problem]\n") : at].strip(), text[at + len("\n[Solution]\n") :].strip()


def _split(text: str, kind: str, repairs: list[str]) -> tuple[str, str] | Rejection:
    headers = _headers(text, repairs)
    first_solution = next((h for h in headers if h.kind == "solution"), None)
    if first_solution is None:
        return _split_without_solution(text, headers, kind, repairs)
    before = [h for h in headers if h.start < first_solution.start]
    if not before:
        repairs.append("missing problem tag")
    question = _question(text, before, first_solution.start, repairs)
    return question, _solution(text, headers, first_solution, repairs)


def _headers(text: str, repairs: list[str]) -> list[_Header]:
    """All headers outside code blocks: tags, and variants of a kind that has no tag."""
    fenced = _fenced_spans(text)
    tags = [_Header(m[1].lower(), m.start(), m.end()) for m in _TAG.finditer(text)]
    headers = [h for h in tags if not _inside(h.start, fenced)]
    missing = {"problem", "solution"} - {h.kind for h in headers}
    for match in _VARIANT.finditer(text) if missing else ():
        name = (match["a"] or match["b"] or match["c"]).lower()
        header = _Header({"question": "problem", "answer": "solution"}.get(name, name), match.start(), match.end())
        if header.kind in missing and not _inside(header.start, fenced):
            headers.append(header)
            if "header variant" not in repairs:
                repairs.append("header variant")
    return sorted(headers, key=lambda h: h.start)


def _question(text: str, before: list[_Header], end: int, repairs: list[str]) -> str:
    """The text between the last problem header that has any before the solution, and the solution."""
    starts = [h.end for h in before] or [0]
    stops = [h.start for h in before[1:]] + [end]
    pieces = [text[a:b].strip() for a, b in zip(starts, stops, strict=True)]
    if len(pieces) > 1:
        repairs.append("doubled header")
    if before and text[: before[0].start].strip():
        repairs.append("text before the problem")
    return next((piece for piece in reversed(pieces) if piece), "")


def _solution(text: str, headers: list[_Header], first: _Header, repairs: list[str]) -> str:
    """The text from the solution header to the next header; empty solutions before a doubled header are skipped."""
    start = first.end
    for header in headers:
        if header.start <= first.start:
            continue
        if header.kind == "solution" and not text[start : header.start].strip():
            repairs.append("doubled header")
            start = header.end
            continue
        repairs.append("second problem cut off" if header.kind == "problem" else "second solution cut off")
        return text[start : header.start].strip()
    return text[start:].strip()


def _split_without_solution(
    text: str, headers: list[_Header], kind: str, repairs: list[str]
) -> tuple[str, str] | Rejection:
    """A tool problem shows where its solution begins even without a header: at the code."""
    code = _CODE.search(text) if kind == "tool" else None
    if not headers:
        return Rejection("no problem or solution header")
    if code is None or headers[0].start > code.start():
        return Rejection("no solution header")
    repairs.append("missing solution tag")
    before = [h for h in headers if h.start < code.start()]
    after = next((h.start for h in headers if h.start > code.start()), None)
    if after is not None:
        repairs.append("second problem cut off")
    return _question(text, before, code.start(), repairs), text[code.start() : after].strip()


def _fenced_spans(text: str) -> list[tuple[int, int]]:
    """Where code blocks lie; an unclosed one hides nothing, so that what follows it can still be found."""
    if "```" not in text and "~~~" not in text:
        return []
    marks = [m.start() for m in _FENCE.finditer(text)]
    return list(zip(marks[::2], marks[1::2], strict=False))


def _inside(position: int, spans: list[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)

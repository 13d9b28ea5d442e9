r"""Finding the final answer in what a model wrote: a box, "####", "the answer is", a closing formula, a letter.

Every pattern here is linear in the text, so that 100,000 characters of babble cost milliseconds.
"""

from __future__ import annotations

import re
import textwrap
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from src.text.boxed import Box, boxes

AnswerType = Literal["number", "math", "choice", "text", "puzzle", "chain", "proof"]

MAX_ANSWER_CHARS = 2_000  # the longest gold answer of MATH has 160; what is longer is no answer
MAX_PROOF_CHARS = 20_000
TAIL_CHARS, BOXES = 20_000, 20  # how far back a box is looked for, and among how many
PIECE_CHARS = 600  # of what follows "the answer is"

_DIGITS = r"(?:[0-9]{1,3}(?:(?:,|\{,\})[0-9]{3})+|[0-9]{1,3}(?:\ [0-9]{3})+(?![0-9])|[0-9]+)"
NUMBER = re.compile(
    r"(?<![0-9A-Za-z_.])(?:[-−–]\s?(?=[$€£]?[0-9.]))?(?:\\?[$€£]\s?)?"
    rf"(?:{_DIGITS}\ [0-9]+/[0-9]+|{_DIGITS}?"  # 1 1/2, or 1,234 or 1 234 or 1234
    r"(?:\.[0-9]+|(?<=[0-9])(?:/[0-9]+)?)(?:[eE][-+]?[0-9]{1,3}(?![0-9A-Za-z]))?)%?"  # .5 or /5
)
_CURRENCY = re.compile(r"\\?[$€£]\s?|(?<=[-−–])\s")
_THOUGHTS_END = "</think>"
_TURN_END = re.compile(r"<\|(?:im_start|im_end|eot_id|end_of_text|endoftext|end|user|assistant)\|>|</s>")
_TURN_BEGINS = re.compile(  # of the model's own turn: a text that begins with another's, or with an end, has no answer
    r"\A(?:\s*(?:<s>|<bos>|<start_of_turn>\s*model\b"
    r"|<[|｜](?!user|system|human|end[|｜]|im_end|eot_id|end_of_text|endoftext)[\w▁ ]{1,30}[|｜]>"
    r"(?!\s*(?:user|system|human)\s*[\n<])(?:\s*assistant(?=\s*[\n<]))?))+\s*",
    re.IGNORECASE,
)
_NEXT_QUESTION = re.compile(r"\n\s{0,3}(?:#{1,4}\s|\*\*)?(?:Question|Problem|Human|User|Instruction|Q)\b[^\n:]{0,12}:")
_HASHES = re.compile(r"(?:^|\n|(?<=\s))####[ \t]*([^\n]{1,400})")
_HEADING = re.compile(r"[*_\s]*(?:[0-9]{1,2}[.):]\s{1,3})?[*_]*[A-Za-z]")
_ANNOUNCED = re.compile(
    r"(?:\banswers?(?![a-z])|答案)(?:\s{1,3}(?:to|for|of)\s[^.:\n]{1,60}?)?[\s*_]{0,4}(?:\bis\b|\bare\b|[:：=]|是|为)[\s*_:：]{0,6}"
    r"|\bfinal answer[*_ ]{0,4}\n\s{0,3}",
    re.I,
)
_FINAL = re.compile(r"\bfinal answer is:?\s{0,3}([^\n]{1,400})", re.I)
_MATH = re.compile(
    r"\\\[(.{1,600}?)\\\]|\$\$(.{1,600}?)\$\$|\\\((.{1,400}?)\\\)|(?<![\\$])\$((?:[^$\n\\]|\\.){1,400}?)(?<!\\)\$(?![0-9])",
    re.DOTALL,
)
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")  # words in what should be a formula: then "$" was money
_SENTENCE_END = re.compile(r"(?<!\.[a-z])\.(?=\s|$)|。|\s\*\*|\*\*(?=[\s.,;]|$)|\bI hope\b")
_ASIDE = re.compile(
    r",?\s(?:because|since|as (?:required|desired|needed|expected|stated|claimed|shown|we|the|it)"
    r"|so that|where|which means|indeed)\b"
    r"|,\s(?:not|rather than|instead of)\s"
)
_NOT_THIS = re.compile(r"^not\s[^,\n]{1,60}?,?\sbut\s(?:rather\s)?")
_VERBS = re.compile(r"\b(?:is|are|equals|be|becomes|gives|i\.e\.,?|that is,?|which is)\s{1,3}(?!not\b)")
_VALUE = re.compile(r"[0-9\\$]|^\W*(?!(?:it|all|so|that)\b)\w+\W*$")  # what a verb may say that the answer is
_HOLDS_A_VALUE = re.compile(r"[0-9\\$]")
_OPENS_WITH_VALUE = re.compile(
    r"[*_(\[{]{0,4}[-+−–±]?\s?(?:\\?[$€£]|\\[(\[a-zA-Z{]|\.?[0-9]|[A-Za-z](?:_?[A-Za-z0-9])?\s?=\s?[^\s=])"
)
_VALUE_AHEAD = r"\s{1,3}(?=[-(]?(?:\\?\$|\\[(\[a-z]|\.?[0-9]))"
_RESTATED = re.compile(  # "f(3), which is 12", "3 times 4 equals 12", "m + n, and that is 12"
    r",?\s(?:(?:which\s|(?:and\s)?(?:that|this)\s)?(?:is|are|equals|gives)|i\.e\.),?" + _VALUE_AHEAD
)
_TOTAL = re.compile(  # "48 in April, and the total is 72"
    r"\b(?:and|so)\s(?:the\s|their\s)?(?:final\s|grand\s)?(?:total|sum|answer)\s(?:[A-Za-z]{1,20}\s){0,4}"
    r"(?:is|are|equals|comes to)(?:\stherefore|\sthen|\sthus)?"
    + _VALUE_AHEAD
    + r"(?!\S+\s(?:\S+\s)?(?:more|less|fewer)\b)"
)
_CALCULATING = re.compile(r"\b(?:of|times|plus|minus|over|(?:divided|multiplied) by)\b")
_SUM = re.compile(  # "5 apples - 3", "20 dollars * 5": a number, its unit, an operator and a number
    r"[0-9)%]\s*+(?:[A-Za-z]{1,20}[\s.]+){0,3}(?:[-+*×÷−·]\s*|(?<=\s)[x/]\s)(?:\\?[$€£])?\s*[(.]?[0-9]"
)
_MEASURE = re.compile(r"\W{0,4}" + NUMBER.pattern + r"\s?((?:[A-Za-z]{1,20}[²³]?\s?){0,3})(?=\W*$|[,;.(])")
_NO_UNIT = re.compile(  # "6 more than 36" compares, and "3 dozen" counts the same things by other words
    r"\b(?:dozens?|more|less|fewer|than|of|times|squared|cubed|factorial|percent|per|(?:great|larg|small|long|short|old|young)er)\b"
)
_CLAUSE = re.compile(  # "and the proof is complete", "given that the side is 2", "(this is exact)"
    r"\s\((?=[A-Za-z]{2})|,?\s(?:and|so|but|when|while|given|provided|which|that|if|for|with)\s(?=\W{0,4}[A-Za-z])"
    r"(?!\W{0,4}[A-Za-z](?:_?[A-Za-z0-9])?\W{0,3}=)|[,;]\s(?=[A-Za-z]{2})(?!(?:and|or)\b)"
)
_SCALE = re.compile(r"\s(?:thousand|million|billion|trillion)\b", re.I)
_OPENS_WITH_NUMBER = re.compile(r"[^0-9A-Za-z]*[0-9]")
_IN_WORDS = re.compile(
    r"(?<![\\A-Za-z])(?!(?:and|or|to|a?bc|a[bc]|x?yz|x[yz])\b)[A-Za-z]{2,}|[\u3040-\u9fff\uac00-\ud7a3]"
)
_MAKES_MORE_BEFORE = re.compile(r"[√±∓<>≤≥≠^]|[A-Za-z]\s?[-+−–*/×÷·(]")  # before a number; "=>" and "->" point at it
_BRACKETED, _PARTED = re.compile(r"\([^()]*\)"), re.compile(r"[,;]|\b(?:and|or)\b")
_ARROW = re.compile(r"[-=]+>|[→⇒]")
_MAKES_MORE = re.compile(  # behind a number: a letter, a power, ½, or another number that a sign or a word joins to it
    r"[^\W\d_]|√|(?:[^\w\s.#$\])|\\]|_)\s*(?:\\?[$€£]\s?)?\.?[0-9]"
)
_NO_MORE = re.compile(  # of its own kind, or said aside: "12 (3 * 4)", "24 = 4 * 6", 3:00, 13 R 1, a date
    r"\s[(\[|—]|\s*=|:[0-5][0-9](?![0-9])|\s?R\s?[0-9]|-[01][0-9]-[0-3][0-9](?![0-9])|/(?:19|20)[0-9]{2}(?![0-9])"
)
_UNIT_LETTER = re.compile(  # 7 m; and, with nothing behind it, 7m, 7/h, 7m/s, 25c, 7°C, but no unknown, 7x
    r"^(?:\s[A-Za-z](?![A-Za-z0-9(]|\s[0-9])[²³]?"
    r"|(?:m(?:[²³]|\^[23])?|[gLlshcp]|°\s?[KCF])?(?:\s?/\s?[mgLlshcp])?(?=[^\w²³(]*$|\s*=|\s[(\[|—]))"
)
_WORKED = re.compile(  # "2 * 3" of "2 * 3 apples", "(2 + 3) * 4" of "(2 + 3) * 4 boxes"; "7 - 10 minutes" is a range
    rf"(?=[^A-Za-z]*[*×·÷+^])\W{{0,4}}(?:{NUMBER.pattern})(?:[\s)]{{0,3}}[-+*×·÷/^−]\s{{0,2}}[(-]?(?:{NUMBER.pattern}))+\)?"
    r"(?=\s[A-Za-z]{2,20}(?:\s[A-Za-z]{2,20}){0,3}\W*$)"
)
_AGAIN = re.compile(rf"[\s,;]+(?:(?:and|or)\s+)?({NUMBER.pattern})(?![0-9A-Za-z/^]|[.,][0-9])")
_TAG = re.compile(  # of those that change no number, as <sup> does
    r"</?(?:b|i|u|em|strong|mark|big|small|p|br|div|span|font|center|code|answer)(?:\s[^<>\n]{0,100})?/?>", re.I
)
_TIMES_X = re.compile(r"(?<=[0-9)])\s?[xX]\s?(?=[0-9(])")
_CLOSING_PHRASE = re.compile(  # "after 2 days" of "she has 5 apples left after 2 days"
    r"\s(?:after|in|for|per|every|each|from|by|on|at|within|during|out of)\s(?:\S+\s+){0,3}\S+$", re.I
)
_FILLER = re.compile(
    r"(?:(?:therefore|thus|hence|then|simply|just|about|approximately|roughly|exactly|around|now|also|clearly|indeed"
    r"|equal to|given by|either|both|always|only"
    r"|the (?:number|value|integer|expression|interval|set|pair|point|fraction))\b|[,:=]|\s)+",
    re.I,
)
_JOINS = re.compile(r"[\s,;&.]*(?:(?:and|or)\b[\s,]*)?")
_BETWEEN = re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]{0,60})\}")
_SIDES = re.compile(  # "160 - 72 =" of "160 - 72 = 24": sides without letters, but for LaTeX's commands
    r"(?:(?:[-+*/^.,:%$()\[\]{}0-9 \t×÷−–·]|\\[a-zA-Z]+|\\[,;:!%$]|(?<=[0-9)\s])[xX](?=\s?[$(0-9]))++=)+"
)
_INFIX = re.compile(r"[0-9)}%]\s*(?:[-+*/^×÷−·xX]|\\(?:times|cdot|div)(?![a-zA-Z]))\s*\S")
_BEFORE_LATEX = re.compile(r"(?:=|:|\b(?:is|are|be|equals?|get|gives?|obtain|have))\s{1,3}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_LATEX = re.compile(r"\\[a-zA-Z]{2,}")
_COUNTED = r"-?(?:[0-9][0-9.,/]*[0-9]|[0-9])"
_LISTED = re.compile(
    rf"\bare:?\s{{1,3}}({_COUNTED}(?:,\s{{1,3}}{_COUNTED})*,?\s{{1,3}}(?:and|or)\s{{1,3}}{_COUNTED})[.!]?$"
)
_LEAN_BLOCK = re.compile(r"```(?:lean4?|tactics)[ \t]*\n((?:(?!```)[\s\S])*)")
_STATED = re.compile(r"^(?:theorem|lemma|example|instance|(?:noncomputable )?def)\b", re.MULTILINE)
_DECLARES = re.compile(  # begins with commands, not with tactics; possessive, or a line of "-" takes for ever
    r"(?:\s*+(?:--[^\n]*+|/-(?:(?!-/)[\s\S])*+-/))*+\s*+(?:@\[|#|(?:theorem|lemma|example|instance|def|abbrev"
    r"|noncomputable|private|protected|import|open|set_option|namespace|section|universe|variable|local|scoped|attribute"
    r"|notation|macro|syntax|structure|inductive|class|axiom|end)\b)"
)
_ANOTHER_THEOREM = re.compile(
    r"^(?:@\[[^\]\n]*\]\s*)?(?:theorem|lemma|example|instance|(?:noncomputable )?def)\b",
    re.MULTILINE,
)
_PROOF_OPENING = re.compile(r":=\s*by\b[ \t]*\n?")
_OPERATOR = re.compile(r"[+\-*/×÷−·]")
_LATEX_SIGNS = {
    "*": re.compile(r"\\(?:times|cdot)(?![A-Za-z])"),
    "/": re.compile(r"\\div(?![A-Za-z])"),
    "": re.compile(r"\\(?:left|right)(?![A-Za-z])"),
    " ": re.compile(r"\\[,;:!() ]"),
}
MAX_FRACTIONS = 4  # one in the other
_FRACTION_OF_SUMS = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_ARITHMETIC = re.compile(  # a minus before it is a sign where no space is between: "- 3 + 8" may be a list's item
    r"(?:(?<![\w)\]}\-−])[-−](?=[0-9(]))?[0-9(][0-9+\-*/()×÷−· ]*+"
)
_OPTION = re.compile(
    r"\W*(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)\W*(?:is\W*)?)?([A-Za-z])(?![A-Za-z0-9'’])", re.I
)
_LETTER = re.compile(
    r"\(([A-Z])\)|(?<![A-Za-z0-9'’$\\({_^])(?:([A-HJ-P])(?=[).:,;*]|\s*$)(?!['’])|([B-HJ-P])(?=\s))|^\W{0,8}([A-P])(?:[).:]|\W{0,8}$)",
    re.M,
)
_LONE_LETTER = re.compile(r"\W{0,8}([a-p])\W{0,8}")
_CHOSEN = re.compile(
    r"\b(?:(?:is|choose|pick|select)\s{1,3}(?=[A-P]\s{1,3}(?:because|since|as|and|for)\b)"  # "it is A because"
    r"|(?<!nor )(?<!either )(?<!not )(?:options?|choices?)\s{1,3}(?:is\s{1,3})?[*(]{0,3})([A-Z])(?![A-Za-z0-9])"
    r"(?!\W{1,4}(?:is|are|must be)\s(?:wrong|incorrect|false|not)\b)"
)
_RIGHT = (
    r"[*)]{0,3}\s{1,3}(?:is|must be)\s{1,3}(?:the\s{1,3})?(?:(?:only|best)\s{1,3})?"
    r"(?:correct|right|answer|choice|option)\b"
)
_IS_RIGHT = re.compile(_RIGHT)
_CALLED_RIGHT = re.compile(  # one letter; I is a statement's numeral; "neither A nor B", "both A and B" call none right
    r"(?<!tatement )(?<!laim )(?<!ngle )(?<!oint )(?<!igure )(?<!tudent )(?<!erson )"
    r"(?<!nor )(?<!either )(?<!not )(?<!Not )(?<![A-P)*] (?:and|nor) )(?<![A-P)*] or )(?<![A-Za-z0-9'’$\\{_^(*])"
    r"[*(]{0,3}([A-HJ-P])" + _RIGHT + r"(?![-'’]|\s{1,3}(?:only|if|when|for|about|that|angle|triangle|but)\b)"
)
_CONCLUDED = re.compile(  # "so B" at the end of a sentence; "but not B" concludes nothing
    r"\b(?:so|hence|thus|therefore|but)\b(?:(?!\b(?:n?either|nor|not|wrong|incorrect|false)\b)[^.!?\n]){0,80}?"
    r"(?<![A-Za-z0-9'’$\\{_^(*])[*(]{0,3}([A-HJ-P])"
    r"(?:[).!*]{0,4}\s*$|[*)]{0,3},?\s{1,3}(?:as|because|for|since)\b)"
)
_LETTER_BEHIND_HASHES = re.compile(r"(?:^|\n)####[ \t]*[*(]{0,3}([A-P])[.)*]{0,4}[ \t]*(?:\n|$)")
_NEXT_SENTENCE = re.compile(r"[.!?]\s|\n")


def extract_answer(text: str, answer_type: AnswerType) -> str | None:
    r"""The final answer that `text` gives, or None where it gives none, or one of more than MAX_ANSWER_CHARS.

    Thoughts, up to the last `</think>`, are cut first; an answer cut off inside its thoughts is none, and what follows
    the end of the model's turn is not its own. The last boxes win, several of one sentence as a list; then what follows
    the last "####" that is no heading; then the last "answer is"; then, by type: the closing formula or number (number,
    math), the last choice letter, the last line (text), the last arithmetic expression (puzzle), the first line (chain:
    equations). Of a calculation, "160 - 72 = 24", the answer (number, math) is what it comes to. A choice that is
    announced after a box beats it. A proof is the tactics in the last block of Lean code, or all of a text without one.
    """
    own = _own_words(text)
    answer = _EXTRACTORS[answer_type](own) if own is not None else None
    answer = answer.strip() if answer else None
    longest = MAX_PROOF_CHARS if answer_type == "proof" else MAX_ANSWER_CHARS
    return answer if answer and len(answer) <= longest else None


def last_number(text: str) -> str | None:
    """The last number in the text, with its sign, thousands commas, fraction and percent sign."""
    number = _last(NUMBER.finditer(text))
    return _plain(number) if number else None


def first_number(text: str) -> str | None:
    """The first number in the text, as `last_number` has it."""
    number = NUMBER.search(text)
    return _plain(number) if number else None


def _plain(number: re.Match[str]) -> str:
    return _CURRENCY.sub("", number[0])


def _own_words(text: str) -> str | None:
    """The text without thoughts, and without what marks its turn or is written after it; None if it ends within its
    thoughts."""
    _, ended, rest = text.rpartition(_THOUGHTS_END)
    if "<think>" in rest:
        return None
    text = _TURN_BEGINS.sub("", rest if ended else text)
    if turn := _TURN_END.search(text):
        text = text[: turn.start()]
    another = _NEXT_QUESTION.search(text)
    if another and _marked(text[: another.start()]) is not None:
        text = text[: another.start()]
    return text


def _last(found: Iterable[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(found, maxlen=1)), None)


def _marked(text: str) -> str | None:
    """The answer that the text itself marks as final: boxed, after "####" or after "the answer is"."""
    if boxed := _boxed(text):
        return _said_after_boxes(text) or boxed
    if hashes := _hashes(text):
        return hashes
    announced = _announced(text)
    return _stated(text[announced:][:PIECE_CHARS]) if announced else None


def _said_after_boxes(text: str) -> str | None:
    """The final answer that is said after the last box, which takes the box back: a value, for "the final answer is
    correct" takes back nothing."""
    end = max(box.end for box in _last_boxes(text) if box.content)
    final = _last(_FINAL.finditer(_tail(text)[end:]))
    said = _stated(final[1]) if final else None
    return said if said and _HOLDS_A_VALUE.search(said) else None


def _boxed(text: str) -> str | None:
    """The last box, with those of the same sentence; empty ones do not count, and repetitions once."""
    found = [box for box in _last_boxes(text) if box.content]
    if not found:
        return None
    tail = _tail(text)
    group = [found[-1]]
    for box in reversed(found[:-1]):
        if not _joined(tail[box.end : group[0].start]):
            break
        group.insert(0, box)
    contents = [box.content for box in group]
    return contents[0] if len(set(contents)) == 1 else ", ".join(contents)


def _tail(text: str) -> str:
    """The last boxes are looked for near the end, and a few at most: so thousands of unclosed ones cost little."""
    tail = text[-TAIL_CHARS:]
    skipped = tail.rsplit("\\boxed", BOXES)[0] if tail.count("\\boxed") > BOXES else ""
    return tail[len(skipped) :]


def _last_boxes(text: str) -> list[Box]:
    return boxes(_tail(text)) if "\\boxed" in text or "\\fbox" in text else []


def _joined(between: str) -> bool:
    """Does what stands between two boxes make them one list? "and", "or", a comma, no more than a few words."""
    if len(between) > 80 or "\n\n" in between or re.search(r"[.!?]\s", between):
        return False
    plain = re.sub(r"\\[a-zA-Z]+|[A-Za-z](?:_\{?\w\}?)?\s*=", " ", _BETWEEN.sub(r" \1 ", between))
    words = re.findall(r"[A-Za-z]{2,}", plain)
    return not words or "and" in words or "or" in words


def _hashes(text: str) -> str | None:
    """What follows the last "####"; a heading of Markdown, words with more text below, is no answer."""
    found = None
    for match in _HASHES.finditer(text) if "####" in text else ():
        heading = _HEADING.match(match[1]) and text[match.end() :].strip()
        found = found if heading else match[1]
    first, again, _ = (found or "").partition("####")  # written twice on one line, it is the first
    found = first if again and _HOLDS_A_VALUE.search(first) else found
    return found.strip() if found else None


def _announced(text: str) -> int | None:
    """Where the last announced answer begins."""
    found = None
    for match in _ANNOUNCED.finditer(text):
        if text[match.end() : match.end() + 40].strip(" \n*"):
            found = match.end()
    return found


def _stated(piece: str) -> str | None:
    """The answer in the sentence that follows "the answer is"."""
    piece = piece.lstrip()
    if display := re.match(r"\\\[(.{1,600}?)\\\]|\$\$(.{1,600}?)\$\$", piece, re.DOTALL):
        return display[1] or display[2]
    sentence = piece.partition("\n")[0]
    formulas = [match for match in _MATH.finditer(sentence) if not _is_money(match)]
    end = next(
        (m for m in _SENTENCE_END.finditer(sentence) if not any(f.start() < m.start() < f.end() for f in formulas)),
        None,
    )
    sentence = sentence[: end.start()] if end and end.start() else sentence
    sentence = _ASIDE.split(sentence)[0]
    sentence = _said_last(_NOT_THIS.sub("", sentence))
    if formula := _first_formulas(sentence):
        return formula
    return _FILLER.sub("", sentence, count=1) if _FILLER.match(sentence) else sentence


def _said_last(sentence: str) -> str:
    """What the last verb says that the answer is, "12" of "the number of ways, which is 12"; where the sentence opens
    with a value, that value: "42" of "42, and the proof is complete", but "12" of "3 times 4, which is 12"."""
    filler = _FILLER.match(sentence)
    opening = sentence[filler.end() :] if filler else sentence
    if not _OPENS_WITH_VALUE.match(opening):
        verbs = [verb for verb in _VERBS.finditer(sentence) if _VALUE.search(sentence[verb.end() :])]
        verbs = [verb for verb in verbs if _HOLDS_A_VALUE.search(sentence[verb.end() :])] or verbs
        return _said_last(sentence[verbs[-1].end() :]) if verbs else sentence
    if total := _TOTAL.search(opening):
        return _said_last(opening[total.end() :])
    restated = _RESTATED.search(opening)
    if restated and _is_restated(opening[: restated.start()], restated[0], opening[restated.end() :]):
        return _said_last(opening[restated.end() :])
    formula = _MATH.match(opening)
    clause = None if formula and not _is_money(formula) else _CLAUSE.search(opening)
    return opening[: clause.start()] if clause and _VERBS.search(opening, clause.start()) else sentence


def _is_restated(piece: str, verb: str, value: str) -> bool:
    """Does a value behind a verb replace what is before it? That of a calculation does, and behind ", which is" that of
    several numbers, "3 boxes of 12", or of one with another unit: "1.5 hours, which is 90 minutes"."""
    plain = _CALCULATING.sub(" * ", _LATEX.sub("", _BETWEEN.sub(" ", piece)))
    if _SUM.search(plain):
        return True
    if not _WORD.search(plain):
        return "," not in plain and bool(re.search(r"[A-Za-z]", plain) or _INFIX.search(plain))
    return re.search(r"which|that|i\.e", verb) is not None and (
        len(NUMBER.findall(plain)) > 1 or _is_other_unit(piece, value)
    )


def _is_other_unit(piece: str, value: str) -> bool:
    """Is the value one number in another unit than the piece's, as "36" of "3 dozen"? "6 more than 36" is none."""
    one, other = _MEASURE.fullmatch(piece), _MEASURE.match(value)
    if one is None or other is None or _NO_UNIT.search(other[1]):
        return False
    units = [(measure[1].split() or [""])[0].rstrip("s") for measure in (one, other)]
    return units[0] != units[1]


def _is_money(match: re.Match[str]) -> bool:
    """Two dollar signs around words are two prices."""
    inside = match[4]
    return inside is not None and _PROSE.search(_BETWEEN.sub(" ", inside)) is not None and "\\" not in inside


def _content(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _first_formulas(sentence: str) -> str | None:
    """The first formula, with those that "and" and commas join to it."""
    found = [match for match in _MATH.finditer(sentence) if not _is_money(match)]
    return _run_of(found, sentence) if found else None


def _run_of(found: list[re.Match[str]], sentence: str) -> str:
    answer, end = _content(found[0]), found[0].end()
    for match in found[1:]:
        between = sentence[end : match.start()]
        if not _JOINS.fullmatch(between):
            break
        answer, end = f"{answer.strip()} {between.strip() or ','} {_content(match).strip()}", match.end()
    return answer + ("%" if re.match(r"\s*(?:\\?%|percent\b|pct\b)", sentence[end:]) else "")


def _result(answer: str) -> str:
    """What a calculation comes to, "24" of "160 - 72 = 24"; other answers as they are, as "x = 24" and "24 = 4 * 6"."""
    sides = _SIDES.match(answer)
    if sides is None:
        return answer
    result = answer[sides.end() :]
    works_out = _INFIX.search(sides[0]) or not _INFIX.search(result)
    return (
        result
        if works_out and result.strip(" \t.,:$") and not re.search(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", "", result)[:2])
        else answer
    )


def _closing(text: str) -> str | None:
    """What the last line comes to, where nothing marks the answer: its last formula or number."""
    if _cut_off_in_box(text):
        return None
    if _is_bare(text):
        return text.strip()
    if whole := _MATH.fullmatch(text.strip()):
        return _content(whole)
    line = text.rstrip().rpartition("\n")[2] or text
    if text.rstrip().endswith(("\\]", "$$")) and (display := _last(_MATH.finditer(text[-2 * PIECE_CHARS :]))):
        return _content(display)
    formulas = [
        m for m in _MATH.finditer(line[-4 * PIECE_CHARS :]) if not _is_money(m) and len(_content(m).strip()) > 1
    ]
    line = line[-4 * PIECE_CHARS :]
    number = _last(m for m in NUMBER.finditer(line) if not any(f.start() <= m.start() < f.end() for f in formulas))
    if formulas and (number is None or number.start() < formulas[-1].start()):
        first = len(formulas) - 1
        while first and _JOINS.fullmatch(line[formulas[first - 1].end() : formulas[first].start()]):
            first -= 1
        return _run_of(formulas[first:], line)
    if "\\" in line and not ("$" in line or "\\boxed" in line) and (bare := _bare_latex(line.rstrip(" ."))):
        return bare
    return _plain(number) if number else last_number(text)


def _bare_latex(line: str) -> str | None:
    """The formula that a line ends with, whole: "\\frac{5}{14}" of "the probability is \\frac{5}{14}"."""
    for start in (0, *(match.end() for match in _BEFORE_LATEX.finditer(line))):
        piece = line[start:]
        if _LATEX.search(piece) and not _WORD.search(_BETWEEN.sub(" ", piece)):
            return piece
    return None


def _cut_off_in_box(text: str) -> bool:
    """Does the text end inside its last box, which nothing closes?"""
    start = text.rfind("\\boxed{")
    return start >= 0 and not re.search(r"[$\n]|\\[\])]", text[start:])


def _is_bare(text: str) -> bool:
    """An answer and nothing else: one short line without prose."""
    text = text.strip()
    if (
        not text
        or len(text) > 200
        or "\n" in text
        or "\\boxed" in text
        or re.match(r"[A-Za-z]{2,}[\s,:]", text)
        or _SENTENCE_END.search(text.rstrip("."))
    ):
        return False
    words = [
        w
        for w in re.findall(r"(?<![\\A-Za-z])[A-Za-z]{2,}", _MATH.sub(" ", _BETWEEN.sub(" ", text)))
        if w not in ("and", "or")
    ]
    return len(words) < 2 and bool(re.search(r"[0-9\\=<>(\[{]", text)) and not (words and _MATH.search(text))


def _number(text: str) -> str | None:
    marked = _marked(text)
    answer = _closing(text) if marked is None else marked
    answer = answer and _TAG.sub(" ", answer)
    if answer and (marked or ("\\" not in answer and _is_bare(text))):
        answer = _result(answer)
    if answer is None or "\\" in answer or re.fullmatch(r"[A-Za-z]\w?\s*=.*|.*=\s*[A-Za-z]", answer.strip()):
        return answer  # LaTeX is left whole: \frac{3}{4} holds two numbers and is one
    answer = _TIMES_X.sub(" * ", answer)
    if worked := _WORKED.match(answer):
        return worked[0].strip()
    if _is_more_than_a_number(answer, factorial=marked is not None and answer == _boxed(text)):
        return answer
    return _number_in(answer) or answer


def _is_more_than_a_number(answer: str, factorial: bool) -> bool:
    """Whether an answer without words says another value than its first number does, "10^6", "3 or 5", "2x + 3": the
    grader tells what it is worth. factorial: a mark behind the number is one; at the end of a sentence it is none."""
    number, last = NUMBER.search(answer), _last(NUMBER.finditer(answer))
    if number is None or last is None or _IN_WORDS.search(answer) or answer.rstrip().endswith("="):
        return False
    if _is_value_of(answer[: last.start()]) and not _MAKES_MORE.search(_UNIT_LETTER.sub("", answer[last.end() :])):
        return False
    before, after = _ARROW.sub("", answer[: number.start()]), _behind(answer, number)
    if _MAKES_MORE_BEFORE.search(before) or (factorial and after.startswith("!")):
        return True
    return not _NO_MORE.match(after) and _MAKES_MORE.search(after) is not None


def _behind(answer: str, number: re.Match[str]) -> str:
    """What follows a number without its unit and without the number again, "72, 72"; a pair, "(2, 2)", says two."""
    after = _UNIT_LETTER.sub("", answer[number.end() :])
    in_brackets = answer[: number.start()].rstrip().endswith(("(", "[", "{"))
    while not in_brackets and (again := _AGAIN.match(after)) and again[1] == number[0]:
        after = after[again.end() :]
    return after


def _is_value_of(left: str) -> bool:
    """Does an equation with something that is no number, "m + n = 37" or "P(X > 2) = 0.3", come to its last number?"""
    left = left.rstrip()
    equation = left.endswith("=") and not left.endswith(("<=", ">=", "!="))
    return equation and not _OPENS_WITH_NUMBER.match(left) and not _PARTED.search(_BRACKETED.sub("", left))


def _number_in(answer: str) -> str | None:
    """The number that an answer begins with; of a sentence, "After 4 weeks she earns $72", the last one before an aside
    in brackets and before a phrase that only closes it. A million goes with its number."""
    filler = _FILLER.match(answer)
    piece = answer[filler.end() :] if filler else answer
    number = NUMBER.search(piece)
    if number and not _OPENS_WITH_NUMBER.match(piece):
        sentence = piece.partition(" (")[0]
        closing = next((m for m in _CLOSING_PHRASE.finditer(sentence) if m.start() > number.start()), None)
        number = _last(NUMBER.finditer(sentence[: closing.start()] if closing else sentence)) or number
    if number is None:
        return None
    scale = _SCALE.match(piece[number.end() :])
    return _plain(number) + (scale[0] if scale else "")


def _math(text: str) -> str | None:
    marked = _marked(text)
    if marked is None:
        listed = _LISTED.search(text.rstrip()[-PIECE_CHARS:])
        return listed[1] if listed else _closing(text)
    answer = _result(marked)
    prose = [w for w in _PROSE.findall(_BETWEEN.sub(" ", answer)) if w not in ("and", "or")]
    if len(prose) > 3 and "\\" not in answer and (number := last_number(answer)):
        return number
    return answer


def _choice(text: str) -> str | None:
    """The letter that is announced or boxed last; else the last that stands as a choice."""
    found = [box for box in _last_boxes(text) if box.content]
    boxed_at = len(text) - len(_tail(text)) + found[-1].start if found else -1
    announced = _announced(text)
    if announced is not None and announced > boxed_at and (letter := _option_in(text[announced:][:PIECE_CHARS])):
        return letter
    marked = found[-1].content if found else _hashes(text) or _letter_behind_hashes(text)
    letter = _marked_option(marked) if marked else None
    chosen = _chosen(text, marked=letter is not None)
    if chosen and chosen.start() > boxed_at:
        return chosen[1]
    if marked:
        return letter or marked
    if announced is not None:
        return _stated(text[announced:][:PIECE_CHARS])
    last = _last(_LETTER.finditer(text)) or _LONE_LETTER.fullmatch(text)
    return next(letter for letter in last.groups() if letter).upper() if last else None


def _letter_behind_hashes(text: str) -> str | None:
    """A letter behind "####" is the answer with more text below it too; of several, they are headings."""
    letter = _LETTER_BEHIND_HASHES.search(text) if text.count("####") == 1 else None
    return letter[1] if letter else None


def _marked_option(answer: str) -> str | None:
    return _option_in(re.sub(r"\\(?:text|textbf|mathrm|mathbf)\b|[{}$\\]", " ", answer), strict=True)


def _chosen(text: str, marked: bool) -> re.Match[str] | None:
    """The letter that is chosen in words. To be called right takes back no letter that a box or "####" marks: "A is
    right for n = 3" is an aside then."""
    if marked:
        return _last(match for match in _CHOSEN.finditer(text) if not _IS_RIGHT.match(text, match.end(1)))
    named = [match for match in (_last(_CHOSEN.finditer(text)), _called_right(text)) if match]
    return max(named, key=lambda match: match.start(1), default=None)


def _called_right(text: str) -> re.Match[str] | None:
    """The last letter that is called right, "A is the correct answer", or that its sentence concludes from that, "so
    B"; none if a later sentence names another."""
    right = _last(_CALLED_RIGHT.finditer(text))
    if right is None:
        return None
    end = _NEXT_SENTENCE.search(text, right.end())
    if end and _LETTER.search(text, end.end()):
        return None
    return _CONCLUDED.search(text, right.end(), end.start() if end else len(text)) or right


def _option_in(piece: str, strict: bool = False) -> str | None:
    """The letter that a piece begins with, or that it names: "(C)", "D", "the correct option is D", "I think (B)"."""
    sentence = piece.lstrip().partition("\n")[0]
    start = _OPTION.match(sentence)
    follows = sentence[start.end() : start.end() + 2] if start else ""
    article = (
        start is not None and start[1] in "aAI" and re.match(r"\s[a-z]", sentence[start.end() :] + " ") is not None
    )
    word = start and follows[:1] == " " and follows[1:].islower() and start[1].islower()
    formula = start and strict and re.match(r"\s*[=+*/^_<>]", sentence[start.end() :])
    if start and not (article or word or formula):
        return start[1].upper()
    named = _called_right(sentence) or re.search(r"\(([A-Z])\)", sentence) or _CHOSEN.search(sentence)
    named = named or re.search(r"\bis\s{1,3}[*(]{0,3}([A-Z])(?=[).:,*\s]|$)(?! [a-z])", sentence)
    return named[1] if named else None


def _text(text: str) -> str | None:
    marked = _marked(text)
    return text.rstrip().rpartition("\n")[2] if marked is None else marked


def _puzzle(text: str) -> str | None:
    marked = _marked_puzzle(text)
    plain = _without_latex(text if marked is None else marked)
    found = (run.rstrip("+-*/×÷−· (") for run in _ARITHMETIC.findall(plain))
    return next(iter(deque((run for run in found if _OPERATOR.search(run, 1)), maxlen=1)), marked)


def _without_latex(arithmetic: str) -> str:
    """Arithmetic as it is typed: `(8-5)*10/(2)` for LaTeX's `\\left(8-5\\right) \\cdot \\frac{10}{2}`."""
    for sign, commands in _LATEX_SIGNS.items():
        arithmetic = commands.sub(sign, arithmetic)
    for _ in range(MAX_FRACTIONS):
        arithmetic = _FRACTION_OF_SUMS.sub(r"(\1)/(\2)", arithmetic)
    return arithmetic


def _first_line(text: str) -> str | None:
    return text.strip().partition("\n")[0]


def _marked_puzzle(text: str) -> str | None:
    """As `_marked`, up to the end of the line: an expression ends in no aside."""
    if (marked := _boxed(text) or _hashes(text)) or (announced := _announced(text)) is None:
        return marked
    return _first_formulas(line := text[announced:][:PIECE_CHARS].lstrip().partition("\n")[0]) or line


def _proof(text: str) -> str | None:
    """The tactics, whether or not the theorem is stated before them once more; where they come first, what is stated
    behind them is another theorem."""
    blocks = _LEAN_BLOCK.findall(text[-TAIL_CHARS - MAX_PROOF_CHARS :])
    code = blocks[-1] if blocks else next((piece for piece in text.split("```") if piece.strip()), "")
    if not _DECLARES.match(code):
        if another := _ANOTHER_THEOREM.search(code):
            code = code[: another.start()].rstrip()
            code = code[: code.rfind("/--")] if code.endswith("-/") and "/--" in code else code
        return textwrap.dedent(code).strip("\n")
    stated = _last(_STATED.finditer(code))
    opening = _PROOF_OPENING.search(code, stated.end()) if stated else None
    return textwrap.dedent(code[opening.end() :] if opening else code).strip("\n")


_EXTRACTORS: dict[AnswerType, Callable[[str], str | None]] = {
    "number": _number,
    "math": _math,
    "choice": _choice,
    "text": _text,
    "puzzle": _puzzle,
    "chain": _first_line,
    "proof": _proof,
}

r"""One spelling for answers that mean the same: plain ASCII with LaTeX commands, no mark-up, no delimiters.

Only what cannot change the meaning is rewritten here; numbers, units, names and orders are left to the reader.
"""

from __future__ import annotations

import re

JOINED = "\x1f"  # the comma of `1{,}234`, which can only be a thousands separator

_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r" \times ", "·": r" \cdot ", "⋅": r" \cdot ",
    "∙": r" \cdot ",
    "÷": r" \div ", "±": r" \pm ", "∓": r" \mp ", "π": r" \pi ", "∞": r" \infty ", "√": r" \sqrt ", "≤": r" \le ",
    "≥": r" \ge ", "≠": r" \ne ", "≈": r" \approx ", "∪": r" \cup ", "∩": r" \cap ", "∈": r" \in ", "∅": r" \emptyset ",
    "ℝ": r" \R ", "ℤ": r" \Z ", "ℕ": r" \N ", "ℚ": r" \Q ", "ℂ": r" \C ", "°": r"\circ ", "º": r"\circ ", "′": "'",
    "’": "'", "…": r" \ldots ", "⋯": r" \ldots ", "∠": r" \angle ", "△": r" \triangle ", "θ": r" \theta ",
    "Ω": r" \Omega ", "\u2126": r" \Omega ",
    "α": r" \alpha ", "β": r" \beta ", "λ": r" \lambda ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ",
    "⌉": r"\rceil ", "≡": r" \equiv ", "∀": r" \forall ", "∃": r" \exists ", "¬": r" \neg ", "∉": r" \notin ",
    "→": r" \to ", "⇒": r" \implies ", "⊂": r" \subset ", "⊆": r" \subseteq ", "φ": r" \phi ", "γ": r" \gamma ",
    "δ": r" \delta ", "σ": r" \sigma ", "ω": r" \omega ", "ε": r" \epsilon ", "ρ": r" \rho ", "τ": r" \tau ",
    "、": ", ", "。": ".", "或": " or ", "和": " and ", "∧": r" \land ", "∨": r" \lor ",
    "‰": r" \cdot 10^{-3}", "⁄": "/", "∕": "/", "\x00": "",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
}  # fmt: skip
_FRACTIONS = {"½": "12", "⅓": "13", "⅔": "23", "¼": "14", "¾": "34", "⅕": "15", "⅖": "25", "⅗": "35", "⅘": "45",
              "⅙": "16", "⅚": "56", "⅛": "18", "⅜": "38", "⅝": "58", "⅞": "78"}  # fmt: skip
_TABLE: dict[int, str] = {
    **_FULL_WIDTH,
    **{ord(sign): plain for sign, plain in _SIGNS.items()},
    **{ord(sign): rf"\frac{{{digits[0]}}}{{{digits[1]}}}" for sign, digits in _FRACTIONS.items()},
}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED_RUN, _LOWERED_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+"), re.compile("[₀₁₂₃₄₅₆₇₈₉]+")

_SILENT = re.compile(
    r"\\(?:left|right|bigl|bigr|Bigl|Bigr|biggl|biggr|big|Big|bigg|Bigg|middle)(?![a-zA-Z])\.?"
    r"|\\(?:displaystyle|textstyle|limits|nolimits|bf|rm|it|therefore|phantom\{[^{}]*\})(?![a-zA-Z])"
)
_JOINED_COMMA = re.compile(r"\{\s*,\s*\}|,\s*\\!\s*|\\!\s*,")
_SPACE = re.compile(r"(?<!\\)\\(?:[,;: >]|[hv]space\*?\{[^{}]*\})|(?<!\\)\\q?quad|~|\\newline|[\s]+")
_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|mbox|hbox|math(?:rm|bf|it|sf|tt|cal|scr|normal)|operatorname\*?|emph"
    r"|boldsymbol|bm|overrightarrow|overleftrightarrow|vec|hat|underline|widehat|boxed|fbox|(?:text)?color\{[a-z]+\})"
    r"\s*\{([^{}]*)\}"
)
_VECTOR = r"\\(?:vec|overrightarrow|mathbf|boldsymbol|bm)\s*\{\s*[A-Za-z]{1,2}(?:_\{?\w\}?)?\s*\}"
_CROSS = re.compile(rf"({_VECTOR})\s*\\times(?![a-zA-Z])(?=\s*{_VECTOR})")
_BETWEEN_POINTS = re.compile(r"\\(?:vec|overrightarrow)\s*\{\s*([A-Z]'?)\s*([A-Z]'?)\s*\}")
_WITHOUT = re.compile(r"(?<=[)\]}RZNQC])\s*(?<!\\)\\ (?=\s*\{)|(?<=R)\s*\\ (?=\s*[(\[])")
_COMPOSED = re.compile(r"(?<![A-Za-z0-9\\])([A-Za-z])\s*\\circ\s*(?=[A-Za-z](?![A-Za-z]))(?![CFK])")
_NUMBER_SETS = re.compile(r"\\(?:mathbb|Bbb|mathbf)\s*(?:\{\s*([RZNQC])\s*\}|([RZNQC])(?![A-Za-z]))")
_SHORT_FRACTION = re.compile(
    r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|([0-9a-zA-Z])|(\\[a-zA-Z]+))\s*(?:\{([^{}]*)\}|([0-9a-zA-Z])|(\\[a-zA-Z]+))"
)
_FRACTION_NAME = re.compile(r"\\[dtc]frac(?![a-zA-Z])|\\[dt]?binom(?![a-zA-Z])")
_MARKS = re.compile(r"^(\*{1,3}|`+|\"|“|\$+|\\\(|\\\[)(.*?)(\*{1,3}|`+|\"|”|\$+|\\\)|\\\])$", re.DOTALL)
_WHOLE_BOX = re.compile(r"\\(?:boxed|fbox|text|mathrm)\s*\{")
_TRAILING = re.compile(r"[.,;:\s\\]+$")
_GOES_ON = re.compile(r",\s*\.\.\.$")
_GLUED = re.compile(r"(?<=[0-9)\]}])\s*(or|and)(?=\s*[A-Z(\[\\0-9-])")
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ(?![a-zA-Z])\s*\}?")
_ORDINAL = re.compile(r"(?<=[0-9])\s*(?:\^\s*)?\{?\s*(?:th|st|nd|rd)\s*\}?(?![a-zA-Z])")
_MODULE = re.compile(r"(?<![A-Za-z.])(?:sympy|sp|np|numpy|math|S|fractions|decimal)\.(?=[A-Za-z])")
_SYNONYMS = {"vee": r"\lor", "wedge": r"\land"}
_SYNONYM = re.compile(r"\\(vee|wedge)(?![a-zA-Z])")
_ANGLE_MEASURE = re.compile(r"(?<![A-Za-z])m\s*(?=\\(?:measured)?angle)")
_ABBREVIATED = re.compile(r"\bRs\.\s*")
_AMOUNT = re.compile(r"(?:\b[A-Z]{1,2}(?=\\?\$))?(\\?[$€£₹¥]\s?[0-9][0-9.,]*)\s?(k|K|M|m|B|b|bn|mn)(?![A-Za-z0-9])")
_THOUSANDS = {"k": "thousand", "m": "million", "b": "billion"}
_COUNTRY = re.compile(r"\bUS(?=\s?\\?\$)")
_TIMES_TEN = re.compile(r"(?<=[0-9])\s?[xX]\s?(?=10\s?(?:\^|\*\*))")
_ROWS = re.compile(
    r"(?:\\\{\s*)?\\begin\{(cases|aligned|align\*?|gathered|array)\}(?:\s*\{[lcr]*\})?(.*?)\\end\{\1\}", re.DOTALL
)
_BOXED_NUMBER = re.compile(r"(?:float|int)[0-9]{2}\(([^()]*)\)|(?:Decimal|mpf|Float)\('([^'()]*)'\)")
_TENSOR = re.compile(r"^(tensor|array)\(([^=]*?)(?:,\s*(?:dtype|device)=[^=(),]*)*\)$")
_PYTHON_I = re.compile(
    r"(?<![A-Za-z])I(?![A-Za-z])(?=\s*[-+*/)])|(?<=[-+*/(])(\s*)I(?![A-Za-z])|(?<=[0-9])[Ij](?![A-Za-z])"
)
_PYTHON_E = re.compile(r"(?<![A-Za-z])E(?=\s*(?:\*\*|\^))")
_NUMPY = re.compile(r"\[[\[\]\s0-9.eE+-]+\]")
_BETWEEN_CELLS = re.compile(r"(?<=[0-9.\]])\s+(?=[-0-9.\[])")
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z]{2})")
_LEADING = re.compile(
    r"^(?:(?:approximately|about|roughly|around|exactly|just|only|(?:the )?(?:final )?answer(?: is|:))(?![a-z])"
    r"|=|:|\*+|\\(?:approx|sim)(?![a-zA-Z])|\\Rightarrow|\\implies|≈|~)\s*",
    re.I,
)


def plain(text: str) -> str:
    r"""The answer without mark-up: `**\(\dfrac12\)**.` -> `\frac{1}{2}`; `1{,}234` keeps its comma as JOINED."""
    text = text.translate(_TABLE)
    if not text.isascii():
        text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_RAISED)}}}", text)
        text = _LOWERED_RUN.sub(lambda m: f"_{{{m[0].translate(_LOWERED)}}}", text)
    text = _WITHOUT.sub(r" \\setminus ", text) if "\\ " in text else text
    text = _ABBREVIATED.sub("Rs ", _unwrapped(text))
    text = _TIMES_TEN.sub("*", text) if "10" in text else text
    if any(sign in text for sign in "$€£₹¥"):
        text = _COUNTRY.sub("", _AMOUNT.sub(lambda m: f"{m[1]} {_THOUSANDS[m[2][0].lower()]}", text))
    text = _printed_array(text) if text.startswith("[") else text
    text = (
        _latex(text)
        if "\\" in text or "{" in text
        else _program(text.replace("dict_values(", "list(").replace("dict_keys(", "list("))
    )
    text = _dollars(text).replace("**", "^") if "$" in text or "**" in text else text
    text = _ORDINAL.sub("", text) if "t" in text or "d" in text else text
    text = _GLUED.sub(r" \1 ", _SPACE.sub(" ", text))
    return _LEADING.sub("", _trimmed(text)).strip()


def _unwrapped(text: str) -> str:
    while True:
        text = _trimmed(text)
        if (box := _WHOLE_BOX.match(text)) and _closes_at_end(text, box.end()):
            text = text[box.end() : -1]
            continue
        match = _MARKS.match(text)
        if match is None or "$" in match[2].replace("\\$", "") or len(match[1]) != len(match[3]):
            return text
        text = match[2]


def _trimmed(text: str) -> str:
    """Without what closes a sentence; the dots that say that a list goes on stay."""
    text = text.strip()
    return text if _GOES_ON.search(text) else _TRAILING.sub("", text)


def _program(text: str) -> str:
    """Python and SymPy call the imaginary unit `I` or `1j`, and e `E`."""
    text = (
        _BOXED_NUMBER.sub(lambda m: m[1] or m[2] or "", _MODULE.sub("", _TENSOR.sub(_array, text)))
        if "(" in text
        else text
    )
    return _PYTHON_E.sub("e", _PYTHON_I.sub(r"\1i", text)) if any(letter in text for letter in "IEj") else text


def _array(match: re.Match[str]) -> str:
    """`tensor([1, 2], dtype=torch.int64)` is an array, `tensor(3)` a number."""
    return f"array({match[2]})" if match[2].startswith("[") else match[2] if match[1] == "tensor" else match[0]


def _printed_array(text: str) -> str:
    """`[[1 2]\n [3 4]]`, as NumPy prints it, with commas."""
    return _BETWEEN_CELLS.sub(", ", text) if _NUMPY.fullmatch(text) else text


def _closes_at_end(text: str, start: int) -> bool:
    """Is the brace that opens before `start` closed by the last character?"""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return place == len(text) - 1
    return False


def _latex(text: str) -> str:
    if "\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)  # escaped twice, as in JSON
    text = _JOINED_COMMA.sub(JOINED, text)
    text = _COMPOSED.sub(r"\1 \\crossed ", text)  # f after g is not g after f
    text = _DEGREES.sub(r"\\circ ", text)
    text = _SILENT.sub("", text).replace("\\!", "").replace("\\%", "%").replace("{:}", ":")
    text = _ANGLE_MEASURE.sub("", _SYNONYM.sub(lambda m: _SYNONYMS[m[1]], text))
    text = _ROWS.sub(_listed, text) if "\\begin" in text else text
    text = _CROSS.sub(r"\1 \\crossed ", text)
    if "=" not in text:
        text = _BETWEEN_POINTS.sub(r"(\2-\1)", text)  # from A to B is not from B to A
    text = _NUMBER_SETS.sub(lambda m: f"\\{m[1] or m[2]} ", text)
    before = ""
    while before != text:
        before, text = text, _WRAPPED.sub(r" \1 ", text)
    return _FRACTION_NAME.sub(_full_name, _SHORT_FRACTION.sub(_braced, text))


def _listed(match: re.Match[str]) -> str:
    """The rows of a system or of an aligned formula as a list; those of a matrix or of a function by cases stay."""
    name, body = match.group(1, 2)
    body = body.replace("&=", "=") if name == "cases" else body.replace("&", "")
    if "&" in body or (name == "array" and not match[0].startswith("\\{")):
        return match[0]
    return ", ".join(row.strip(" ,") for row in body.split("\\\\") if row.strip(" ,"))


def _full_name(match: re.Match[str]) -> str:
    return "\\frac" if "frac" in match[0] else "\\binom"


def _braced(match: re.Match[str]) -> str:
    top, bottom = (next(part for part in match.groups()[i : i + 3] if part is not None) for i in (0, 3))
    return f"\\frac{{{top}}}{{{bottom}}}"


def _dollars(text: str) -> str:
    r"""`\$`, and a `$` that has no partner, is money; the others open and close formulas."""
    text = text.replace("\\$", "\x02")
    if text.count("$") % 2:
        text = text.replace("$", "\x02", 1) if text.count("$") == 1 else text.replace("$", " ")
    return text.replace("$", " ").replace("\x02", " \\dollar ")

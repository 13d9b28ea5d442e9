"""How a question is put to a model: in one of the corpus's own formats, in its chat template, or after exemplars.

| style | shots | the answer |
|---|---|---|
| corpus | none | a worked solution, as in the natural-language corpus |
| chat | none | a turn in the model's own chat template |
| few_shot | some | a worked solution |
| program | some | what one program prints |
| tool | none | as in the tool corpus: the model writes a program, reads its output, and goes on |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from src.core.errors import UserError
from src.evaluation.exemplars import EXEMPLARS, PROGRAMS

if TYPE_CHECKING:
    from src.evaluation.benchmark import Benchmark
    from src.evaluation.question import Question

Style = Literal["corpus", "chat", "few_shot", "program", "tool"]
LETTERS = "ABCDEFGHIJ"

CORPUS_PROMPT = "## Question\n{question}\n\n## Solution\n"
TOOL_PROMPT = "## Question\n{question}\n\n## Code Solution\n"
CORPUS_STOP = ("## Question",)
TOOL_STOP = ("```output", *CORPUS_STOP)
PROGRAM_OPENING = "```python\n"
FEW_SHOT_STOP = ("\nQuestion:", "\n\nQuestion")
BOX = "Reason step by step, and put your final answer within \\boxed{}."
BOX_LETTER = "Reason step by step, and put the letter of the right choice within \\boxed{}."


@dataclass(frozen=True)
class Prompting:
    """One way to ask. `write(question, benchmark)` gives the prompt; generation ends at a `stop` string.

    programs: how many the model may run for one answer; reads_output: whether it goes on after one.
    opening: the end of the prompt that belongs to the answer.
    """

    write: Callable[[Question, Benchmark], str]
    stop: tuple[str, ...] = ()
    programs: int = 0
    reads_output: bool = False
    opening: str = ""


def prompting(style: Style, model: str, shots: int = 4, turns: int = 4) -> Prompting:
    """The prompting of a style. `model` is asked for its chat template, with "chat" only."""
    match style:
        case "corpus":
            return Prompting(lambda q, _: corpus_prompt(full_text(q)), CORPUS_STOP)
        case "few_shot":
            return Prompting(lambda q, benchmark: few_shot_prompt(q, benchmark.exemplars, shots), FEW_SHOT_STOP)
        case "chat":
            return Prompting(_chat_writer(model))
        case "program":
            return Prompting(lambda q, b: program_prompt(q, b.exemplars, shots), ("```",), 1, opening=PROGRAM_OPENING)
        case "tool":
            return Prompting(lambda q, _: TOOL_PROMPT.format(question=full_text(q)), TOOL_STOP, turns, True)


def corpus_prompt(question: str) -> str:
    """The zero-shot prompt, just as the pre-training corpus is written."""
    return CORPUS_PROMPT.format(question=question)


def full_text(question: Question) -> str:
    """The question with its lettered choices, if it has any."""
    return with_choices(question.text, question.choices)


def with_choices(text: str, choices: Sequence[str] | None) -> str:
    """Choices below the question, one a line: (A) ..., (B) ..."""
    return "\n".join((text, *(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices or ()))))


def few_shot_prompt(question: Question, exemplars: str, shots: int) -> str:
    """The first `shots` worked exemplars of that name, then the question."""
    shown = "".join(f"Question: {q}\nAnswer: {a}\n\n" for q, a in EXEMPLARS[exemplars][:shots])
    return f"{shown}Question: {full_text(question)}\nAnswer:"


def program_prompt(question: Question, exemplars: str, shots: int) -> str:
    """The first `shots` questions with the programs that answer them, then the question."""
    wish = "Write a Python program that prints the answer.\n\n"
    shown = "".join(f"Question: {q}\n{PROGRAM_OPENING}{code}\n```\n\n" for q, code in PROGRAMS[exemplars][:shots])
    return f"{wish}{shown}Question: {full_text(question)}\n{PROGRAM_OPENING}"


def _chat_writer(model: str) -> Callable[[Question, Benchmark], str]:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise UserError(f"The model {model} has no chat template.", "Use prompting=corpus or prompting=few_shot.")
    bos = tokenizer.bos_token_id
    added = bos is not None and tokenizer("x")["input_ids"][:1] == [bos]  # then the engine puts it there as well

    def write(question: Question, benchmark: Benchmark) -> str:
        wish = BOX_LETTER if benchmark.answer_type == "choice" else BOX
        turn = {"role": "user", "content": f"{full_text(question)}\n\n{wish}"}
        text: str = tokenizer.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        return text.removeprefix(tokenizer.bos_token) if added else text

    return write

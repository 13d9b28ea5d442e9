"""How a question is put to a model: in the corpus's own format, in its chat template, or after worked exemplars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from src.core.errors import UserError
from src.evaluation.exemplars import EXEMPLARS

if TYPE_CHECKING:
    from src.evaluation.benchmark import Benchmark
    from src.evaluation.question import Question

Style = Literal["corpus", "chat", "few_shot"]
LETTERS = "ABCDEFGHIJ"

CORPUS_PROMPT = "## Question\n{question}\n\n## Solution\n"
CORPUS_STOP = ("## Question",)
FEW_SHOT_STOP = ("\nQuestion:", "\n\nQuestion")
BOX = "Reason step by step, and put your final answer within \\boxed{}."
BOX_LETTER = "Reason step by step, and put the letter of the right choice within \\boxed{}."


@dataclass(frozen=True)
class Prompting:
    """One way to ask. `write(question, benchmark)` gives the prompt; generation ends at a `stop` string."""

    write: Callable[[Question, Benchmark], str]
    stop: tuple[str, ...] = ()


def prompting(style: Style, model: str, shots: int = 4) -> Prompting:
    """The prompting of a style. `model` is asked for its chat template, with "chat" only."""
    match style:
        case "corpus":
            return Prompting(lambda q, _: corpus_prompt(full_text(q)), CORPUS_STOP)
        case "few_shot":
            return Prompting(lambda q, benchmark: few_shot_prompt(q, benchmark.exemplars, shots), FEW_SHOT_STOP)
        case "chat":
            return Prompting(_chat_writer(model))


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


def _chat_writer(model: str) -> Callable[[Question, Benchmark], str]:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise UserError(f"The model {model} has no chat template.", "Use prompting=corpus or prompting=few_shot.")

    def write(question: Question, benchmark: Benchmark) -> str:
        wish = BOX_LETTER if benchmark.answer_type == "choice" else BOX
        turn = {"role": "user", "content": f"{full_text(question)}\n\n{wish}"}
        text: str = tokenizer.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
        return text.removeprefix(tokenizer.bos_token or "")  # the engine puts it there itself

    return write

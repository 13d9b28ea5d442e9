r"""How a question is put to a model: in one of the corpus's own formats, in its chat template, or after exemplars.

| style | shots | layout | the answer |
|---|---|---|---|
| corpus | none | the natural-language corpus | a worked solution |
| plain | none | the question and a line end | symbols |
| chat | none | the model's own chat template | a turn |
| few_shot | some | Question: ... Answer: ... (lm-evaluation-harness, gsm8k) | a worked solution |
| gsm8k_cot | some | Q: ... A: ... (Wei et al. 2022, arXiv 2201.11903) | "The answer is 5." |
| minerva | some | Problem: ... Solution: ... (Lewkowycz et al. 2022, arXiv 2206.14858) | "Final Answer: ..." |
| program | some | Question: ... and a Python block | what one program prints |
| proof | none | Lean code to complete (DeepSeek-Prover-V1.5, arXiv 2408.08152) | tactics |
| tool | none | the tool corpus | the model writes a program, reads its output, and goes on |

The layouts are the published ones, to the letter; the exemplars in them are this project's own, or a file's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from src.core.errors import UserError
from src.core.fingerprint import file_digest
from src.evaluation.exemplars import EXEMPLARS, PROGRAMS, Exemplar, read_exemplars
from src.evaluation.question import LETTERS
from src.text.parsing import plain_prompt

if TYPE_CHECKING:
    from src.evaluation.benchmark import Benchmark
    from src.evaluation.question import Question

Style = Literal["corpus", "plain", "chat", "few_shot", "gsm8k_cot", "minerva", "program", "tool", "proof"]

CORPUS_PROMPT = "## Question\n{question}\n\n## Solution\n"
TOOL_PROMPT = "## Question\n{question}\n\n## Code Solution\n"
CORPUS_STOP = ("## Question",)
TOOL_STOP = ("```output", *CORPUS_STOP)
PROOF_PROMPT = "Complete the following Lean 4 code:\n\n```lean4\n{question}"
PROGRAM_OPENING = "```python\n"
PROGRAM_WISH = "Write a Python program that prints the answer.\n\n"
BOX = "Reason step by step, and put your final answer within \\boxed{}."
PROVE = "Prove this theorem. Give its proof by tactics in a ```lean4 block."
BOX_LETTER = "Reason step by step, and put the letter of the right choice within \\boxed{}."


@dataclass(frozen=True)
class Layout:
    """How exemplars and the question are set. `shown` has {question} and {answer}; `asked` has {question}."""

    shown: str
    asked: str
    stop: tuple[str, ...]
    end: Callable[[str], str] = str  # turns an exemplar's worked solution into the one of this layout


def minerva_end(worked: str) -> str:
    """The last sentence as Minerva has it. Its answer stands in no box."""
    steps, _, answer = worked.rpartition("The answer is ")
    bare = answer.rstrip().removesuffix(".").strip("$").removeprefix("\\boxed{")
    bare = bare.removesuffix("}") if "\\boxed{" in answer else bare
    return f"{steps.strip()}\nFinal Answer: The final answer is ${bare}$. I hope it is correct."


LAYOUTS = {
    "few_shot": Layout(
        "Question: {question}\nAnswer: {answer}\n\n", "Question: {question}\nAnswer:", ("\nQuestion:", "\n\nQuestion")
    ),
    "gsm8k_cot": Layout("Q: {question}\nA: {answer}\n\n", "Q: {question}\nA:", ("Q:", "</s>", "<|im_end|>")),
    "minerva": Layout(
        "Problem:\n{question}\n\nSolution:\n{answer}\n\n",
        "Problem:\n{question}\n\nSolution:",
        ("Problem:",),
        minerva_end,
    ),
    "program": Layout(
        f"Question: {{question}}\n{PROGRAM_OPENING}{{answer}}\n```\n\n",
        f"Question: {{question}}\n{PROGRAM_OPENING}",
        ("```",),
    ),
}


@dataclass(frozen=True)
class Prompting:
    """One way to ask. `write(question)` gives the prompt; generation ends at a `stop` string.

    programs: how many the model may run for one answer; reads_output: whether it goes on after one.
    opening: the end of the prompt that belongs to the answer.
    """

    write: Callable[[Question], str]
    stop: tuple[str, ...] = ()
    programs: int = 0
    reads_output: bool = False
    opening: str = ""


@dataclass(frozen=True)
class Protocol:
    """How all benchmarks are asked, but for those that have a style or a number of shots of their own.

    exemplars: a file of {"question", "answer"} rows (.jsonl, .json or .parquet) instead of the built-in ones; the
        answer is shown as it is written there. For "program" it is the program.
    system: a message that goes before the question, and template: options of the chat template, such as
        enable_thinking; both with "chat" only.
    turns: programs that a model may run for one answer, with "tool".
    """

    style: Style = "corpus"
    shots: int = 4
    exemplars: str | None = None
    system: str | None = None
    template: Mapping[str, Any] = field(default_factory=dict)
    turns: int = 4

    def prompting(self, benchmark: Benchmark, model: str | None) -> Prompting:
        """How one benchmark is asked. `model`, a folder, is asked for its chat template, with "chat" only.

        Raises UserError for a model without one, and for fewer exemplars than shots.
        """
        style = benchmark.style or self.style
        if style == "corpus":
            return Prompting(lambda question: corpus_prompt(full_text(question)), CORPUS_STOP)
        if style == "plain":
            return Prompting(lambda question: plain_prompt(full_text(question)), ("\n",))
        if style == "proof":
            return Prompting(lambda question: PROOF_PROMPT.format(question=question.text), ("```",))
        if style == "tool":
            write = lambda question: TOOL_PROMPT.format(question=full_text(question))  # noqa: E731
            return Prompting(write, TOOL_STOP, self.turns, reads_output=True)
        if style == "chat":
            wishes = {"choice": BOX_LETTER, "proof": PROVE}
            return Prompting(self._chat_writer(model, wishes.get(benchmark.answer_type, BOX)))
        layout = LAYOUTS[style]
        before = "".join(
            layout.shown.format(
                question=shown.question, answer=shown.answer if self.exemplars else layout.end(shown.answer)
            )
            for shown in self._shown(style, benchmark)
        )
        write_after = partial(_few_shot, PROGRAM_WISH + before if style == "program" else before, layout.asked)
        if style == "program":
            return Prompting(write_after, layout.stop, programs=1, opening=PROGRAM_OPENING)
        return Prompting(write_after, layout.stop)

    def identity(self) -> dict[str, str]:
        """The content of the exemplars' file."""
        return {"sha256": file_digest(Path(self.exemplars).expanduser())} if self.exemplars else {}

    def _shown(self, style: Style, benchmark: Benchmark) -> Sequence[Exemplar]:
        shots = self.shots if benchmark.shots is None else benchmark.shots
        if self.exemplars:
            name, known = self.exemplars, read_exemplars(Path(self.exemplars).expanduser())
        else:
            name = benchmark.exemplars
            known = (PROGRAMS if style == "program" else EXEMPLARS)[name]
        if len(known) < shots:
            raise UserError(
                f"{shots} shots were asked for, and there are {len(known)} exemplars in '{name}' (prompting={style}).",
                f"Set shots={len(known)}, or name a file with more: exemplars=FILE.jsonl.",
            )
        return known[:shots]

    def _chat_writer(self, model: str | None, wish: str) -> Callable[[Question], str]:
        if model is None:  # a server puts the question into its own template
            return lambda question: f"{full_text(question)}\n\n{wish}"
        from transformers import AutoTokenizer

        from src.modeling.loading import added_beginning

        tokenizer: Any = AutoTokenizer.from_pretrained(model)
        if not tokenizer.chat_template:
            raise UserError(f"The model {model} has no chat template.", "Use prompting=corpus or prompting=few_shot.")
        beginning = added_beginning(tokenizer)
        before = [{"role": "system", "content": self.system}] if self.system else []

        def write(question: Question) -> str:
            turns = [*before, {"role": "user", "content": f"{full_text(question)}\n\n{wish}"}]
            options = {"tokenize": False, "add_generation_prompt": True, **self.template}
            text: str = tokenizer.apply_chat_template(turns, **options)
            return text.removeprefix(beginning)

        return write


def corpus_prompt(question: str) -> str:
    """The zero-shot prompt, just as the pre-training corpus is written."""
    return CORPUS_PROMPT.format(question=question)


def full_text(question: Question) -> str:
    """The question with its lettered choices, if it has any."""
    return with_choices(question.text, question.choices)


def with_choices(text: str, choices: Sequence[str] | None) -> str:
    """Choices below the question, one a line: (A) ..., (B) ..."""
    return "\n".join((text, *(f"({letter}) {choice}" for letter, choice in zip(LETTERS, choices or ()))))


def _few_shot(before: str, asked: str, question: Question) -> str:
    return before + asked.format(question=full_text(question))

"""What the synthesizer reads and writes: the one place that its training and its use agree on."""

from __future__ import annotations

from src.core.records import Problem, Prompt
from src.text.parsing import format_response


def synthesis_prompt(prompt: Prompt) -> str:
    """The text that the synthesizer continues; training sets no loss on it."""
    return f"{prompt.text}\n\n"


def synthesis_response(problem: Problem) -> str:
    """What it is taught to write for the prompt; training adds the end-of-text token."""
    return format_response(problem.question, problem.solution)

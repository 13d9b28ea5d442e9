"""A model's chat template: an instruct model is asked in the form that it was tuned on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from src.core.errors import UserError


class ChatTemplate:
    """Writes a prompt as a user's message, after a system message where one is given, up to where the answer begins.

    options: variables of the template itself, as `enable_thinking`. Raises UserError where the tokenizer has none.
    """

    def __init__(self, tokenizer: Any, model: str, system: str | None, options: Mapping[str, Any] | None):
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                f"chat=true needs a chat template, and the tokenizer of {model} has none.",
                "Take an instruct model, or chat=false, which has the model go on from the prompt.",
            )
        self._tokenizer, self._options = tokenizer, dict(options or {})
        self._before = [{"role": "system", "content": system}] if system else []

    def write(self, prompt: str) -> str:
        """The text that the model goes on from, special tokens included."""
        said = [*self._before, {"role": "user", "content": prompt}]
        return str(
            self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True, **self._options)
        )

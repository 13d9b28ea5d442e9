"""A fine-tuning set from the Hugging Face Hub or from local files: pairs of texts, or conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from src.core.checks import at_least
from src.core.errors import UserError, require
from src.core.hub import commit, model_identity
from src.core.records import Example, content_id
from src.corpus.files import hash_files
from src.corpus.jsonl import COMPRESSED
from src.evaluation.prompting import corpus_prompt
from src.stages.sft import SFTSet

KINDS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
ROLES = {"human": "user", "gpt": "assistant"}
"""Names that ShareGPT gives the roles of a chat."""
DATE = date(2024, 7, 26)
"""What a chat template that writes today's date writes here, so that rows are the same tomorrow: the date that Llama
3.1's and 3.2's templates fall back on where they are told none."""


@dataclass(frozen=True)
class DatasetSFT(SFTSet):
    """Rows of a data set, in its order.

    name: "owner/data" on the Hub, or a local .jsonl, .json or .parquet file, also compressed. config, split, revision:
      of the Hub's.
    prompt, response: the fields of a pair; both null with `messages`, the field of a conversation: a list of
      {role, content} (or ShareGPT's {from, value}), whose last answer is learnt from all that comes before it.
    chat_template: a model, by name or folder, whose chat template writes the conversation, with a fixed date (see
      `DATE`) where it writes today's; null: the corpus's own way of asking a question, which knows a single turn only.
    limit: so many rows from the front; null: all.
    """

    name: str
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    prompt: str | None = "input"
    response: str | None = "output"
    messages: str | None = None
    chat_template: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        pair = self.prompt is not None and self.response is not None
        if pair == (self.messages is not None):
            raise ValueError("name the fields of a pair (prompt and response), or of a conversation (messages)")
        if self.chat_template and not self.messages:
            raise ValueError("chat_template writes conversations: set messages with it, and prompt and response null")
        at_least(self, 1, "limit")

    def pinned(self) -> DatasetSFT:
        """The same data set at the commit where its revision is now. Raises UserError where nobody knows."""
        return self if self._file else replace(self, revision=commit(self.name, "dataset", self.revision))

    @property
    def rows_at_most(self) -> int | None:
        return self.limit

    def identity(self) -> dict[str, str]:
        """The hash of a local file, and what the model is that lends its chat template. A data set on the Hub has its
        commit in `revision`, see `pinned`."""
        template = {f"chat_template/{name}": value for name, value in model_identity(self.chat_template).items()}
        if self.chat_template:  # whose date was once that of the day
            template["chat_template/date"] = DATE.isoformat()
        return (hash_files([self._file]) if self._file else {}) | template

    def examples(self) -> Iterator[Example]:
        """Raises UserError that names the row, where one cannot be used: a fine-tuning set is not for guessing."""
        write = _chat_writer(self.chat_template) if self.chat_template else _single_turn
        for number, row in enumerate(self._rows(), start=1):
            if self.limit is not None and number > self.limit:
                return
            where = f"{self.name}, row {number}"
            if self.messages is not None:
                prompt, response = _conversation(row, self.messages, where, write)
            else:
                prompt, response = (_text(row, str(field), where) for field in (self.prompt, self.response))
            yield Example(content_id(prompt, response), self.name, prompt, response)

    @property
    def _file(self) -> Path | None:
        path = Path(self.name).expanduser()
        return path if _kind(path) else None

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        require("datasets", "This fine-tuning set")
        import datasets

        if self._file:
            kind, files, split = _kind(self._file), str(self._file), "train"
        else:
            kind, files, split = self.name, None, self.split
        try:
            yield from datasets.load_dataset(
                kind, self.config, split=split, revision=self.revision, data_files=files, streaming=True
            )
        except Exception as error:  # the library, its file systems and its decoders share no base class
            first = (str(error) or type(error).__name__).splitlines()[0]
            raise UserError(
                f"The fine-tuning set '{self.name}' cannot be read: {first}",
                "Check sft.name, config, split and the network, or name a local .jsonl or .parquet file.",
            ) from error


def _kind(path: Path) -> str:
    """What the library calls the format of such a file, by its name; "" for one that is no file's."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return KINDS.get(suffixes[-1], "") if suffixes else ""


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    if not isinstance(row.get(field), str):
        raise UserError(
            f"{where}: expected a text under '{field}', found {', '.join(row)}.",
            "Set sft.prompt and sft.response to the names of its fields, or sft.messages to that of a conversation.",
        )
    return str(row[field])


def _conversation(row: Mapping[str, Any], field: str, where: str, write: Any) -> tuple[str, str]:
    try:
        turns = [_turn(message) for message in row[field]]
        last = max(i for i, (role, _) in enumerate(turns) if role == "assistant")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            f"{where}: '{field}' holds no list of messages with an answer of the assistant.",
            "Each message needs `role` and `content` (or `from` and `value`).",
        ) from None
    if not last:
        raise UserError(f"{where}: '{field}' begins with an answer.", "Mend or remove the row.")
    return write(turns[:last], where), turns[last][1]


def _turn(message: Mapping[str, Any]) -> tuple[str, str]:
    role, text = (message["role"], message["content"]) if "role" in message else (message["from"], message["value"])
    if not isinstance(text, str):
        raise TypeError
    return ROLES.get(role, role), text


def _single_turn(turns: list[tuple[str, str]], where: str) -> str:
    questions = [text for role, text in turns if role == "user"]
    if len(questions) != 1 or len(turns) > 2:
        raise UserError(
            f"{where} is a conversation of several turns, which the corpus's way of asking cannot hold.",
            "Set sft.chat_template to the model whose chat template shall write it.",
        )
    return corpus_prompt(questions[0])


def _chat_writer(model: str) -> Any:
    from jinja2 import TemplateError

    from src.modeling.loading import added_beginning, load_tokenizer

    tokenizer = load_tokenizer(model)
    if not tokenizer.chat_template:
        raise UserError(f"The tokenizer of '{model}' has no chat template.", "Name an instruct or chat model.")
    beginning = added_beginning(tokenizer)
    today = {"date_string": _on_the_date("%d %b %Y"), "strftime_now": _on_the_date}

    def write(turns: list[tuple[str, str]], where: str) -> str:
        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **today))
        except TemplateError as error:
            raise UserError(
                f"{where}: the chat template of '{model}' refuses the conversation: {error}",
                "Mend or remove the row, or set sft.chat_template to a model that knows such turns.",
            ) from None
        return text.removeprefix(beginning)

    return write


def _on_the_date(format: str) -> str:
    return DATE.strftime(format)

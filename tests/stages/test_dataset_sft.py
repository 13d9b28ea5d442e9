"""Fine-tuning rows of other people's files: pairs and conversations."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing

from src.core.errors import UserError
from src.modeling import loading
from src.stages.dataset_sft import DatasetSFT
from tests.modeling.tiny import TINY

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
PAIRS: Any = {"prompt": None, "response": None}


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_pairs_of_a_local_file(tmp_path: Path, kind: str) -> None:
    name = written(tmp_path / f"rows.{kind}", [{"q": f"{i}?", "a": str(i)} for i in range(5)])
    rows = list(DatasetSFT(name, prompt="q", response="a", limit=3).examples())
    assert [(row.prompt, row.response) for row in rows] == [("0?", "0"), ("1?", "1"), ("2?", "2")]
    assert DatasetSFT(name, prompt="q", response="a").identity().keys() == {f"rows.{kind}"}
    with pytest.raises(UserError, match=r"row 1: expected a text under 'input', found q, a"):
        list(DatasetSFT(name).examples())


@pytest.mark.parametrize("suffix", ["jsonl.gz", "JSONL", "jsonl.xz"])
def test_a_local_file_is_known_by_its_name_compressed_or_in_capitals(tmp_path: Path, suffix: str) -> None:
    plain = Path(written(tmp_path / "plain.jsonl", [{"input": "1?", "output": "1"}])).read_bytes()
    pack = {"jsonl.gz": gzip.compress, "jsonl.xz": lzma.compress}.get(suffix, bytes)
    (tmp_path / f"rows.{suffix}").write_bytes(pack(plain))
    rows = DatasetSFT(str(tmp_path / f"rows.{suffix}"))
    assert [(row.prompt, row.response) for row in rows.examples()] == [("1?", "1")]
    assert rows.identity().keys() == {f"rows.{suffix}"} and rows.pinned() is rows


def chat(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def test_a_question_and_its_answer_read_as_the_corpus_does(tmp_path: Path) -> None:
    rows = [chat(("system", "Be brief."), ("user", "1+1?"), ("assistant", "2"))]
    (row,) = DatasetSFT(written(tmp_path / "a.jsonl", rows), messages="messages", **PAIRS).examples()
    assert row.prompt == "## Question\n1+1?\n\n## Solution\n" and row.response == "2"
    rows = [{"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]}]
    (row,) = DatasetSFT(written(tmp_path / "b.jsonl", rows), messages="conversations", **PAIRS).examples()
    assert row.prompt == "## Question\n2+2?\n\n## Solution\n" and row.response == "4"


def test_several_turns_need_a_chat_template(tmp_path: Path) -> None:
    turns = [("user", "1+1?"), ("assistant", "2"), ("user", "And 2+2?"), ("assistant", "4")]
    name = written(tmp_path / "a.jsonl", [chat(*turns)])
    with pytest.raises(UserError, match=r"row 1 is a conversation of several turns"):
        list(DatasetSFT(name, messages="messages", **PAIRS).examples())
    model = TINY.prepare(tmp_path / "model", lambda: ["some text"] * 9, seed=0)
    with pytest.raises(UserError, match="has no chat template"):
        list(DatasetSFT(name, messages="messages", chat_template=model, **PAIRS).examples())
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(model)
    (row,) = DatasetSFT(name, messages="messages", chat_template=model, **PAIRS).examples()
    assert row.prompt == "<user>1+1?\n<assistant>2\n<user>And 2+2?\n<assistant>" and row.response == "4"


@pytest.mark.parametrize("is_added", [True, False])
def test_a_template_s_beginning_is_left_out_only_where_tokenizing_adds_it(tmp_path: Path, is_added: bool) -> None:
    name = written(tmp_path / "a.jsonl", [chat(("user", "1+1?"), ("assistant", "2"))])
    model = TINY.prepare(tmp_path / "model", lambda: ["some text"] * 9, seed=0)
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = "{{ bos_token }}" + TEMPLATE
    tokenizer.bos_token = tokenizer.eos_token
    if is_added:
        bos = (tokenizer.bos_token, tokenizer.bos_token_id)
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{bos[0]} $A", special_tokens=[bos])
    tokenizer.save_pretrained(model)
    (row,) = DatasetSFT(name, messages="messages", chat_template=model, **PAIRS).examples()
    tokens = loading.load_tokenizer(model)(row.prompt)["input_ids"]
    assert tokens.count(tokenizer.bos_token_id) == 1 and tokens[0] == tokenizer.bos_token_id


def test_another_chat_template_makes_other_rows(tmp_path: Path) -> None:
    name = written(tmp_path / "a.jsonl", [chat(("user", "1+1?"), ("assistant", "2"))])
    model = TINY.prepare(tmp_path / "model", lambda: ["some text"] * 9, seed=0)
    rows = DatasetSFT(name, messages="messages", chat_template=model, **PAIRS)
    found = []
    for template in (TEMPLATE, TEMPLATE.replace("<", "[")):
        tokenizer = loading.load_tokenizer(model)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(model)
        found.append(rows.identity())
    assert found[0] != found[1]


def templated(folder: Path, template: str) -> str:
    """A model with that chat template."""
    model = TINY.prepare(folder, lambda: ["some text"] * 9, seed=0)
    tokenizer = loading.load_tokenizer(model)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(model)
    return model


@pytest.mark.parametrize("today", ["strftime_now('%d %b %Y')", "date_string"])
def test_a_template_writes_the_same_date_every_day(tmp_path: Path, today: str) -> None:
    name = written(tmp_path / "a.jsonl", [chat(("user", "1+1?"), ("assistant", "2"))])
    model = templated(tmp_path / "model", "Today: {{ " + today + " }}\n" + TEMPLATE)
    (row,) = DatasetSFT(name, messages="messages", chat_template=model, **PAIRS).examples()
    assert row.prompt.startswith("Today: 26 Jul 2024\n")


def test_a_row_that_a_template_refuses_is_named(tmp_path: Path) -> None:
    rows = [chat(("user", "1?"), ("assistant", "1")), chat(("system", "Be brief."), ("user", "1?"), ("assistant", "1"))]
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}" + TEMPLATE
    model = templated(tmp_path / "model", refusing)
    made = DatasetSFT(written(tmp_path / "a.jsonl", rows), messages="messages", chat_template=model, **PAIRS)
    with pytest.raises(UserError, match=r"a.jsonl, row 2: the chat template of .* refuses the conversation: no system"):
        list(made.examples())


@pytest.mark.parametrize("bad", [[("assistant", "2")], [("user", "1+1?")]])
def test_a_conversation_without_question_or_answer_names_its_row(tmp_path: Path, bad: list[tuple[str, str]]) -> None:
    name = written(tmp_path / "a.jsonl", [chat(("user", "1?"), ("assistant", "1")), chat(*bad)])
    with pytest.raises(UserError, match=r"row 2: 'messages'"):
        list(DatasetSFT(name, messages="messages", **PAIRS).examples())


def test_pairs_or_conversations_but_not_both() -> None:
    for options in ({}, {"prompt": None}, {"messages": "messages"}, {"chat_template": "x"}):
        if options:
            with pytest.raises(ValueError, match=r"pair|conversation"):
                DatasetSFT("a/b", **options)
    with pytest.raises(UserError, match=r"The fine-tuning set '.*' cannot be read"):
        list(DatasetSFT("/nowhere/rows.jsonl").examples())

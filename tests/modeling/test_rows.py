from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.core.errors import UserError
from src.core.records import Example
from src.modeling import loading
from src.modeling.plan import make_plan
from src.modeling.rows import TokenCorpus, TokenRows, encode_responses, together
from src.modeling.tokenizing import tokenize


def table(base: Path, examples: list[Example], recipe: Any, folder: Path, limit: int = 96) -> TokenRows:
    return tokenize([TokenCorpus("all", lambda: examples)], loading.load_tokenizer(base), recipe, limit, folder)


def metaspace_tokenizer(*texts: str) -> Any:
    """In the way of SentencePiece, as Mistral's: every text begins with a mark, as if a space stood before it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    made.decoder = decoders.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    made.train_from_iterator(
        [*texts, "Add 1 and 2. So 3. 10 = 4 + 6"] * 9, trainers.BpeTrainer(vocab_size=300, special_tokens=special)
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def test_a_response_has_the_tokens_that_it_has_behind_its_prompt() -> None:
    tokenizer = metaspace_tokenizer()
    texts = ["So 3.", " 10", "", "\nAdd"]
    assert tokenizer.convert_ids_to_tokens(tokenizer("So").input_ids)[0].startswith("\u2581"), "the mark"
    for text, response in zip(texts, encode_responses(tokenizer, texts), strict=True):
        prompt = tokenizer("Add 1 and 2.\n").input_ids
        assert prompt + response == tokenizer("Add 1 and 2.\n" + text).input_ids, text


def test_a_tokenizer_without_marks_is_left_alone(base: Path) -> None:
    tokenizer = loading.load_tokenizer(base)
    texts = ["So 3.", " 10", "\n\nAdd"]
    assert encode_responses(tokenizer, texts) == tokenizer(texts, add_special_tokens=False).input_ids


@pytest.mark.slow
def test_tokenizing_holds_few_bytes_a_row(base: Path, recipe: Any, tmp_path: Path) -> None:
    """The texts and tokens of twenty thousand rows go by; 18 bytes of each stay, where lists of numbers took 140."""
    tokenizer = loading.load_tokenizer(base)

    def peak(count: int) -> int:
        rows = (Example(str(i), "t", "Q\n", "1") for i in range(count))
        tracemalloc.start()
        tokenize([TokenCorpus("all", lambda: rows)], tokenizer, recipe(), 96, tmp_path / str(count))
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(22_000) - peak(2_000) < 20_000 * 75  # arrays are made while the bytes are still held


def test_a_row_is_prompt_response_end(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    made, tokenizer = table(base, rows, recipe(), tmp_path), loading.load_tokenizer(base)
    for i in (0, 7, 59):
        tokens = made.tokens[made.offsets[i] : made.offsets[i + 1]]
        split = made.prompts[i]
        assert tokenizer.decode(tokens[:split]) == rows[i].prompt
        assert tokenizer.decode(tokens[split:-1]) == rows[i].response
        assert tokens[-1] == tokenizer.eos_token_id
    assert made.ids([3, 5]) == ["row-3", "row-5"]
    assert made.counts["tokens"] == made.lengths.sum() == len(made.tokens)


def test_what_does_not_fit_is_counted(base: Path, recipe: Any, tmp_path: Path) -> None:
    rows = [
        Example("long", "t", "Q?\n", "word " * 60),
        Example("prompt", "t", "word " * 60, "A"),
        Example("empty", "t", "Q?\n", ""),
        Example("good", "t", "Q?\n", "A"),
    ]
    cut = table(base, rows, recipe(), tmp_path / "cut", limit=24).counts
    assert (cut["rows"], cut["kept"], cut["truncated"]) == (4, 2, 1)
    assert cut["dropped_prompt_fills_sequence"] == cut["dropped_empty_response"] == 1
    dropped = table(base, rows, recipe(overlong="drop"), tmp_path / "dropped", limit=24)
    assert dropped.counts["dropped_overlong"] == 2 and dropped.lengths.max() <= 24


def test_finished_rows_are_not_made_again(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    first = table(base, rows, recipe(), tmp_path)
    assert table(base, [], recipe(), tmp_path).counts == first.counts


def test_no_row_left_is_an_error_with_the_reasons(base: Path, recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No row is left to train on.*1 dropped_empty_response"):
        table(base, [Example("a", "t", "Q", "")], recipe(), tmp_path)


def test_a_tokenizer_without_an_end_is_an_error(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    tokenizer = loading.load_tokenizer(base)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="has no end token"):
        tokenize([TokenCorpus("all", lambda: rows)], tokenizer, recipe(), 96, tmp_path)


@pytest.mark.parametrize(("epochs", "packing"), [(1, True), (2.5, True), (3, False), (0.4, True)])
def test_epochs_read_every_row_as_often(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, epochs: float, packing: bool
) -> None:
    made = table(base, rows, recipe(), tmp_path)
    plan = make_plan(made, recipe(epochs=epochs, packing=packing), ("shuffled",), seed=1)
    times = np.bincount(plan.bins.rows, minlength=60)
    assert times.sum() == round(60 * epochs)
    assert times.max() - times.min() <= 1
    assert plan.total_tokens == made.lengths[plan.bins.rows].sum()


def test_corpora_follow_each_other_and_a_budget_shortens_both(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path
) -> None:
    corpora = [TokenCorpus("first", lambda: rows[:40]), TokenCorpus("last", lambda: rows[40:], order="in_order")]
    made = tokenize(corpora, loading.load_tokenizer(base), recipe(), 96, tmp_path)
    plan = make_plan(made, recipe(), ("shuffled", "in_order"), seed=0)
    which = [made.corpus[row] for i in range(len(plan.bins)) for row in plan.bins[i]]
    assert which == sorted(which)
    assert [b.name for b in plan.boundaries] == ["first, epoch 1", "last, epoch 1"]
    half = make_plan(made, recipe(max_tokens=made.counts["tokens"] // 2), ("shuffled", "in_order"), seed=0)
    assert abs(half.total_tokens - made.counts["tokens"] / 2) < 100
    assert {int(made.corpus[row]) for row in half.bins.rows} == {0, 1}
    three = make_plan(made, recipe(max_steps=3, epochs=None), ("shuffled", "in_order"), seed=0)
    assert three.steps <= 3


@pytest.mark.parametrize("budget", [{"epochs": 0.01}, {"max_tokens": 5, "epochs": None}])
def test_a_budget_that_rounds_to_no_row_reads_one_of_every_corpus(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, budget: dict[str, Any]
) -> None:
    corpora = [TokenCorpus("first", lambda: rows[:4]), TokenCorpus("last", lambda: rows[4:9], order="in_order")]
    made = tokenize(corpora, loading.load_tokenizer(base), recipe(), 96, tmp_path)
    plan = make_plan(made, recipe(**budget), ("shuffled", "in_order"), seed=0)
    assert [int(made.corpus[row]) for row in plan.bins.rows] == [0, 1] and plan.steps == 1


@pytest.mark.parametrize("packing", [True, False])
def test_steps_shorten_every_corpus_alike_also_where_rows_leave_room(
    base: Path, rows: list[Example], recipe: Any, tmp_path: Path, packing: bool
) -> None:
    """Rows a little longer than half a sequence: each takes one for itself."""
    corpora = [TokenCorpus("first", lambda: rows[:30]), TokenCorpus("last", lambda: rows[30:40], order="in_order")]
    settings = recipe(epochs=None, max_steps=10, packing=packing)
    made = tokenize(corpora, loading.load_tokenizer(base), settings, 96, tmp_path)
    settings = dataclasses.replace(settings, sequence_length=int(made.lengths.max()) + 4)
    plan = make_plan(made, settings, ("shuffled", "in_order"), seed=0)
    read = [int(made.corpus[row]) for i in range(min(len(plan.bins), 20)) for row in plan.bins[i]]
    assert 0.2 <= read.count(1) / len(read) <= 0.3


def test_the_seed_decides_the_order(base: Path, rows: list[Example], recipe: Any, tmp_path: Path) -> None:
    made = table(base, rows, recipe(), tmp_path)
    one, same, other = (make_plan(made, recipe(), ("shuffled",), seed).bins.rows for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_long_texts_are_tokenized_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.modeling.rows.CHARACTERS", 100)
    sizes = [30, 30, 30, 30, 500, 1, 1, 1, 1]
    given = [Example(str(i), "t", "", "x" * size) for i, size in enumerate(sizes)]
    given += [Example("none", "t", "", None)]  # type: ignore[arg-type]  # told as unreadable later
    batches = list(together(given, 4))
    assert [len(batch) for batch in batches] == [3, 1, 1, 4, 1]
    assert [example for batch in batches for example in batch] == given

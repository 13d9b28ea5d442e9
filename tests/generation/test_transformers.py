import dataclasses
import random

import pytest
import torch

from src.core.errors import UserError
from src.generation.base import Request, Sampling
from src.generation.transformers import TransformersGenerator
from tests.generation.tiny import LENGTH, write_tiny_llama


def requests(n):
    for i in range(n):
        sampling = Sampling(max_tokens=30 if i % 5 == 0 else 3 + i % 7)
        yield Request(f"r{i}", f"Question {i}? " * (1 + i % 3), 100 + i, sampling)


@pytest.fixture(scope="module")
def session(tiny_llama, tmp_path_factory):
    with TransformersGenerator(dtype="float32").open(tiny_llama, tmp_path_factory.mktemp("cache")) as session:
        yield session


def test_texts_depend_on_seeds_and_neither_on_order_nor_on_batch(session, tiny_llama, tmp_path):
    asked = list(requests(15))
    texts = {c.id: c for c in session.stream(asked)}
    assert texts.keys() == {r.id for r in asked}
    random.Random(1).shuffle(asked)
    with TransformersGenerator(dtype="float32", batch_size=3).open(tiny_llama, tmp_path) as other:
        assert {c.id: c for c in other.stream(asked)} == texts
    reseeded = [dataclasses.replace(r, seed=r.seed + 500) for r in asked]
    assert {c.id: c for c in session.stream(reseeded)} != texts


def test_greedy_texts_are_those_of_transformers_own_generate(session, tiny_llama):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_llama), AutoTokenizer.from_pretrained(tiny_llama)
    asked = [Request(f"r{i}", "abc" * (i + 1), 0, Sampling(temperature=0, max_tokens=12)) for i in range(4)]
    for completion in session.stream(asked):
        inputs = tokenizer(asked[int(completion.id[1:])].prompt, return_tensors="pt")
        own = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
        assert completion.text == tokenizer.decode(own, skip_special_tokens=True)


def test_stop_strings_end_the_text_and_are_cut(session):
    request = Request("a", "0 1 2", seed=4, sampling=Sampling(max_tokens=60))
    [free] = session.stream([request])
    stop = free.text[5:7]
    [stopped] = session.stream([dataclasses.replace(request, sampling=Sampling(max_tokens=60, stop=(stop,)))])
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish_reason == "stop"
    assert stopped.completion_tokens < free.completion_tokens
    assert (stopped.stopped_at, free.stopped_at) == (stop, None)


@pytest.mark.parametrize("sampling", [Sampling(top_p=0.9), Sampling(repetition_penalty=1.3), Sampling(temperature=0)])
def test_samplings_that_meet_in_a_batch_do_not_mix(session, sampling):
    mine = [Request(f"a{i}", "ab" * (i + 1), i, dataclasses.replace(sampling, max_tokens=12 + i)) for i in range(6)]
    others = [Request(f"b{i}", "ba" * (9 - i), i, Sampling(temperature=0.7, max_tokens=20)) for i in range(6)]
    alone = {c.id: c for c in session.stream(mine)}
    together = {c.id: c for c in session.stream([r for pair in zip(mine, others, strict=True) for r in pair])}
    assert {id: together[id] for id in alone} == alone


def test_a_prompt_is_read_once_for_all_texts_that_go_on_from_it(tiny_llama, tmp_path, monkeypatch):
    """Three prompts, seven texts of each, as of the steps that a search draws for three nodes."""
    asked = [
        Request(f"r{i}", "abc" * (1 + i % 3), i, Sampling(max_tokens=4 + i, repetition_penalty=1.2)) for i in range(21)
    ]
    with TransformersGenerator(dtype="float32", workers=1).open(tiny_llama, tmp_path) as one:
        alone = {c.id: c for request in asked for c in one.stream([request])}
        read, step = [], one._step
        monkeypatch.setattr(
            one, "_step", lambda tokens, *rest: (read.append(tuple(tokens.shape)), step(tokens, *rest))[1]
        )
        assert {c.id: c for c in one.stream(asked)} == alone
    assert read[:2] == [(3, max(c.prompt_tokens for c in alone.values())), (21, 1)]


def test_texts_of_any_length_outgrow_the_first_room(tiny_llama, tmp_path, monkeypatch):
    asked = [Request(f"r{i}", "xyz" * (i + 1), i, Sampling(max_tokens=60 + i)) for i in range(5)]
    with TransformersGenerator(dtype="float32").open(tiny_llama, tmp_path) as roomy:
        texts = {c.id: c for c in roomy.stream(asked)}
        monkeypatch.setattr("src.generation.decoding_cache.FIRST_ROOM", 1)
        assert {c.id: c for c in roomy.stream(asked)} == texts


def test_a_gpu_without_room_writes_fewer_texts_at_a_time(tiny_llama, tmp_path, monkeypatch):
    asked = [Request(f"r{i}", "x" * (i + 1), i, Sampling(max_tokens=20)) for i in range(9)]
    sizes = []
    with TransformersGenerator(dtype="float32").alone(tiny_llama) as session:
        texts = {c.id: c for c in session.stream(asked)}
        monkeypatch.setattr(session, "_room", lambda tokens: 900 // tokens)
        write = session._write
        monkeypatch.setattr(session, "_write", lambda batch: sizes.append(len(batch.texts)) or write(batch))
        assert {c.id: c for c in session.stream(asked)} == texts
    assert sizes == [3, 3, 3]


@pytest.mark.parametrize("heads", [1, 2])
def test_query_heads_that_share_keys_write_what_transformers_own_attention_writes(tmp_path, heads):
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    write_tiny_llama(tmp_path)
    config = LlamaConfig.from_pretrained(tmp_path)
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 4, heads, 16
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    asked = [Request(f"r{i}", "abc" * (i + 1), 0, Sampling(temperature=0, max_tokens=25)) for i in range(5)]
    with TransformersGenerator(dtype="float32").open(str(tmp_path), tmp_path) as session:
        for completion in session.stream(asked):
            inputs = tokenizer(asked[int(completion.id[1:])].prompt, return_tensors="pt")
            own = model.generate(**inputs, do_sample=False, max_new_tokens=25)[0, inputs["input_ids"].shape[1] :]
            assert completion.text == tokenizer.decode(own, skip_special_tokens=True)


def test_a_conversation_asks_what_follows_from_its_answers(session):
    first = Request("first", "0 1 2", seed=4, sampling=Sampling(max_tokens=5))
    waiting, heard = [first], []

    def ready(room):
        taken, waiting[:] = waiting[:room], waiting[room:]
        return taken

    for completion in session.converse(ready):
        heard.append(completion.id)
        if len(heard) < 4:
            waiting.append(
                dataclasses.replace(first, id=f"after {completion.id}", prompt=first.prompt + completion.text)
            )
    assert heard == ["first", "after first", "after after first", "after after after first"]


def test_prompts_that_do_not_fit_are_errors_of_their_own(session):
    asked = [Request("long", "x" * LENGTH, 0), Request("empty", "", 0), Request("fine", "x", 0, Sampling(max_tokens=3))]
    done = {c.id: c for c in session.stream(asked)}
    assert done["long"].error == f"prompt too long: {LENGTH} tokens, and the model takes {LENGTH} with the text"
    assert done["empty"].error == "prompt is empty"
    assert (done["fine"].prompt_tokens, done["fine"].completion_tokens) == (1, 3)


def test_a_text_ends_where_the_model_ends(session):
    [done] = session.stream([Request("a", "x" * (LENGTH - 5), 0, Sampling(max_tokens=50))])
    assert (done.finish_reason, done.completion_tokens) == ("length", 5)


def test_a_broken_model_is_one_clear_message(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="transformers could not load the model"):
        TransformersGenerator().open(str(tmp_path), tmp_path)
    with pytest.raises(UserError, match="given no model"):
        TransformersGenerator().open(None, tmp_path)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        TransformersGenerator(batch_size=0)

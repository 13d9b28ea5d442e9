import dataclasses
import random

import pytest

from src.core.errors import UserError
from src.generation.base import Request, Sampling
from src.generation.transformers import TransformersGenerator
from tests.generation.tiny import LENGTH


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

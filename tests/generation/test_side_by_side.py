import os
import signal
from dataclasses import replace

import pytest

from src.core.errors import UserError
from src.generation import side_by_side
from src.generation.base import Request, Sampling
from src.generation.side_by_side import SideBySide
from src.generation.transformers import TransformersGenerator
from src.generation.transformers_session import TransformersSession

pytestmark = pytest.mark.slow

OPTIONS = TransformersGenerator(dtype="float32", device="cpu", batch_size=8, workers=2)


def requests(n):
    return [Request(f"r{i}", "ab " * (1 + i % 7), i, Sampling(max_tokens=3 + i % 5)) for i in range(n)]


@pytest.fixture(scope="module")
def session(tiny_llama, tmp_path_factory):
    with OPTIONS.open(tiny_llama, tmp_path_factory.mktemp("cache")) as session:
        yield session


def test_two_processes_write_what_one_writes(session, tiny_llama, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEW", 10)
    with OPTIONS.alone(tiny_llama) as alone:
        expected = {c.id: c for c in alone.stream(requests(150))}
    found = list(session.stream(requests(150)))
    assert len(found) == 150
    assert {c.id: c for c in found} == expected


def test_a_few_requests_start_no_process(tiny_llama, tmp_path):
    with OPTIONS.open(tiny_llama, tmp_path) as session:
        assert len(list(session.stream(requests(5)))) == 5
        assert list(session.stream([])) == []
        assert session._pool == []


def test_small_models_take_the_cores_there_are(tiny_llama, tmp_path, monkeypatch):
    monkeypatch.setattr("src.generation.transformers.cores", lambda: 3)
    free = TransformersGenerator(device="cpu")
    with free.open(tiny_llama, tmp_path) as session:
        assert isinstance(session, SideBySide)
        assert session._count == 3
    monkeypatch.setattr("src.generation.transformers.is_small", lambda folder: False)
    with free.open(tiny_llama, tmp_path) as session:
        assert isinstance(session, TransformersSession)


def test_texts_of_like_length_are_written_together(tiny_llama):
    session = SideBySide(OPTIONS, tiny_llama, 2)
    first, *others = session._windows([], iter(requests(150)))
    assert len(first) == 4 * 8 * 2 and sorted(r.id for w in (first, *others) for r in w) == sorted(
        r.id for r in requests(150)
    )
    lengths = [len(r.prompt) for r in first]
    assert lengths == sorted(lengths, reverse=True)


def test_a_conversation_goes_on_in_all_processes(session, monkeypatch):
    """Every answer is asked on for twice; each process is given what waits, whichever of its texts still run."""
    monkeypatch.setattr(side_by_side, "FEW", 10)
    waiting, asked = requests(60), {}

    def ready(room):
        assert room > 0
        taken, waiting[:] = waiting[:room], waiting[room:]
        asked.update((r.id, r) for r in taken)
        return taken

    heard = {}
    for completion in session.converse(ready):
        heard[completion.id] = completion
        if completion.id.count("+") < 2:
            before = asked[completion.id]
            waiting.append(replace(before, id=before.id + "+", prompt=before.prompt + completion.text))
    assert len(heard) == len(asked) == 3 * 60
    with OPTIONS.alone(session._model) as alone:
        assert {c.id: c for c in alone.stream(asked.values())} == heard


def test_who_stops_reading_leaves_nothing_behind(session, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEW", 10)
    monkeypatch.setattr(side_by_side, "TURN_SECONDS", 0.0)
    stream = session.stream(requests(150))
    assert len([next(stream) for _ in range(20)]) == 20
    stream.close()
    again = [replace(r, id=f"again {r.id}") for r in requests(40)]
    assert sorted(c.id for c in session.stream(again)) == sorted(r.id for r in again)


def test_a_model_that_does_not_load_is_told_as_in_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEW", 2)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with SideBySide(OPTIONS, str(tmp_path), 2) as session, pytest.raises(UserError, match="could not load the model"):
        list(session.stream(requests(20)))


def test_a_lost_process_is_one_clear_error(tiny_llama, monkeypatch):
    monkeypatch.setattr(side_by_side, "FEW", 2)
    with SideBySide(OPTIONS, tiny_llama, 2) as session:
        stream = session.stream(requests(400))
        next(stream)
        for pool in session._processes():
            for process in pool._processes.values():
                os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(UserError, match=r"was lost[\s\S]*workers=1"):
            list(stream)

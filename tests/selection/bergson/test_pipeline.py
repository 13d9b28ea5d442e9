"""bergson itself, where it is installed; what is ours of it, everywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from src.core.errors import UserError
from src.core.records import Example
from src.modeling.loading import load_config, load_tokenizer
from src.modeling.trainer import Trainer
from src.selection.base import Reference
from src.selection.bergson import Bergson, pipeline
from src.selection.candidates import ById
from tests.selection.conftest import Families, example
from tests.waiting import wait_for

installed = pytest.mark.skipif(find_spec("bergson") is None, reason="bergson is not installed")
EMPTY = Example("empty", "family0", "## Question\nWhat is it?\n\n## Solution\n", "")


def bergson(**options) -> Bergson:
    given = {"targets": {"adding": Families((0,), 8), "sharing": Families((3,), 8)}, "top_k": 4, "max_length": 256}
    return Bergson(**{**given, "batch_tokens": 2048, **options})


def pool() -> list[Example]:
    return [example(family, i) for family in range(10) for i in range(3)]


def reference(model: Path, tmp_path: Path) -> Reference:
    return Reference(model, tmp_path / "work", tmp_path / "cache", Trainer(threads=1, device="cpu"))


@installed
@pytest.mark.long
@pytest.mark.parametrize("method", ["trackstar", "ekfac", "cosine"])
def test_a_targets_own_family_is_found(trained, tmp_path, method):
    options = bergson(method=method, projection=0 if method == "ekfac" else 16)
    ranking = options.rank([*pool(), EMPTY], reference(trained, tmp_path))
    assert ranking.skipped == {"empty": pipeline.NO_RESPONSE}
    assert sorted(ranking.ids) == sorted(row.id for row in pool())
    for name, family in (("adding", 0), ("sharing", 3)):
        scores = dict(zip(ranking.ids, ranking.scores[name], strict=True))
        own = {example(family, i).id for i in range(3)}
        assert np.mean([scores[id] for id in own]) > np.mean([scores[id] for id in scores.keys() - own])
        assert np.std(ranking.scores[name]) == pytest.approx(1, abs=1e-5)
    assert not Path("runs").exists(), "nothing is left where the user stands"


@installed
@pytest.mark.long
def test_another_rule_asks_for_the_same_scores(trained, tmp_path, monkeypatch):
    first = bergson(method="cosine").rank(pool(), reference(trained, tmp_path))
    monkeypatch.setattr(pipeline, "_run", None)
    again = bergson(method="cosine", top_k=None, fraction=0.5).rank(pool(), reference(trained, tmp_path))
    assert again.order() == first.order()


@installed
@pytest.mark.long
def test_what_bergson_finished_before_a_kill_is_not_done_again(trained, tmp_path, monkeypatch):
    here = reference(trained, tmp_path)
    first = pipeline._rank(bergson(), ById(pool()), bergson().target_examples(), here)
    made = {file: file.stat().st_mtime_ns for file in (here.work / "bergson").rglob("scores.bin")}
    assert len(made) == 2
    again = pipeline._rank(bergson(), ById(pool()), bergson().target_examples(), here)
    assert {file: file.stat().st_mtime_ns for file in made} == made
    assert again.order() == first.order()


@installed
@pytest.mark.long
def test_a_failure_is_told_in_bergsons_own_last_words(trained, tmp_path):
    with pytest.raises(UserError, match="bergson ended with code 1 at target 'adding'") as caught:
        bergson(exclude="*").rank(pool(), reference(trained, tmp_path))
    assert "output.log" in caught.value.mend


@installed
@pytest.mark.long
def test_bergson_ends_with_a_killed_parent(trained, tmp_path):
    code = (
        "from tests.selection.bergson.test_pipeline import *\n"
        f"bergson(method='ekfac').rank(pool(), reference(Path({str(trained)!r}), Path({str(tmp_path)!r})))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = _child_of(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not Path(f"/proc/{child}").exists())


def _child_of(parent: int) -> int:
    return int(wait_for(lambda: Path(f"/proc/{parent}/task/{parent}/children").read_text().split())[0])


def test_rows_are_the_tokens_of_training_and_their_labels_the_response(trained, tmp_path):
    from datasets import load_from_disk

    tokenizer = load_tokenizer(trained)
    ids = pipeline.write_rows(tmp_path / "rows", tokenizer, [example(0, 0), EMPTY, example(1, 0)], 256)
    assert ids == [example(0, 0).id, example(1, 0).id]
    row = load_from_disk(str(tmp_path / "rows"))[0]
    start = row["labels"].count(-100)
    assert row["labels"][start:] == row["input_ids"][start:]
    assert tokenizer.decode(row["input_ids"][:start]) == example(0, 0).prompt
    assert tokenizer.decode(row["labels"][start:]) == example(0, 0).response + tokenizer.eos_token
    assert row["length"] == len(row["input_ids"])


def test_a_cut_text_keeps_the_window(trained, tmp_path):
    ids = pipeline.write_rows(tmp_path / "rows", load_tokenizer(trained), [example(0, 0)], 4)
    assert ids == []  # the prompt fills it


def test_texts_are_cut_to_the_positions_that_the_model_has(trained, tmp_path, monkeypatch):
    seen = []

    def write_rows(folder, tokenizer, examples, max_length):
        seen.append(max_length)
        return ["a"] if not seen[1:] else []

    monkeypatch.setattr(pipeline, "write_rows", write_rows)
    options = Bergson(targets={"t": Families((2,), 1)}, top_k=1, max_length=10**6, batch_tokens=10**6)
    with pytest.raises(UserError, match="target 't' has a response"):
        pipeline._rank(
            options, ById([example(0, 0)]), options.target_examples(), Reference(trained, tmp_path, tmp_path)
        )
    assert seen == [load_config(trained).max_position_embeddings] * 2


def test_without_the_package_the_line_to_type_is_named(monkeypatch):
    monkeypatch.setattr("src.core.errors.find_spec", lambda module: None)
    with pytest.raises(UserError, match="selector=bergson needs the package 'bergson'"):
        bergson().preflight()


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="projected gradients"):
        bergson(projection=0)
    with pytest.raises(ValueError, match="a text of max_length=4096 tokens"):
        bergson(max_length=4096)

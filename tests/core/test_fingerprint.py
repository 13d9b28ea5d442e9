import dataclasses
import importlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config.build import build
from src.core.fingerprint import describe, left_out, not_in_key, stage_key
from src.core.stage import Stage

SRC = Path(__file__).parents[2] / "src"
LEFT_OUT = {
    "FileReader.files": "where local rows lie; their content is in identity()",
    "Benchmark.published": "how many questions to expect, for a plan",
    "FileBenchmark.benchmark_dir": "where local copies lie; their content is in identity()",
    "HubBenchmark.benchmark_dir": "where local copies lie; their content is in identity()",
    "LeanBenchmark.benchmark_dir": "where local copies lie; their content is in identity()",
    "PromptSet.folder": "where own words lie; their content is in identity()",
    "Theorems.library": "its content is in identity()",
    "Theorems.held_out": "its content is in identity()",
    "Translate.held_out": "its content is in identity()",
    "ExamineProver.library": "its content is in identity()",
    "ExamineProver.shape": "how big the model is, for a plan: its name says which it is",
    "Prove.shape": "how big the model is, for a plan: its name says which it is",
    "Prove.expected_tokens": "a guess at rows that are not there yet, for a plan",
    "Translate.shape": "how big the model is, for a plan: its name says which it is",
    "Translate.expected_tokens": "a guess at rows that are not there yet, for a plan",
    "OpenAIGenerator.api_key_env": "the name of the variable that holds a secret",
    "OpenAIGenerator.concurrency": "how many calls are in flight: each has its own seed",
    "OpenAIGenerator.requests_per_minute": "pace, not content",
    "OpenAIGenerator.tokens_per_minute": "pace, not content",
    "OpenAIGenerator.timeout": "patience, not content",
    "OpenAIGenerator.max_retries": "patience, not content",
    "OpenAIGenerator.patience": "patience, not content",
    "OpenAIGenerator.batch": "whether calls go one by one or as a provider's batch",
    "OpenAIGenerator.price": "what a call costs does not change what it says",
    "OpenAIGenerator.prices": "what a call costs does not change what it says",
    "OpenAIGenerator.account": "who pays does not change what is said",
    "OpenAIGenerator.budget": "a budget stops a stage, it does not change its rows",
    "ProceduralGenerator.price": "what a call costs does not change what it says",
    "TransformersGenerator.batch_size": "how many texts are written at a time: each has its own seed",
    "TransformersGenerator.workers": "who writes a text: each has its own seed",
    "VLLMGenerator.max_num_seqs": "how many sequences are interleaved: each has its own seed",
    "VLLMGenerator.tensor_parallel_size": "how many cards hold the engine",
    "VLLMGenerator.gpu_memory_utilization": "room for the engine's cache",
    "VLLMGenerator.kv_cache_gb": "room for the engine's cache",
    "VLLMGenerator.enable_prefix_caching": "what is computed once, not what comes out",
    "VLLMGenerator.enforce_eager": "whether kernels are compiled, not what they compute",
    "Pretrained.shape": "how big the model is, for a plan: its name says which it is",
    "ByModel.batch_rows": "how many rows are computed at once",
    "Bergson.batch_tokens": "how many tokens are computed at once",
    "Bergson.fsdp": "where the weights lie",
    "Influence.batch_rows": "how many rows are computed at once",
    "Clean.workers": "how many processes share the work: rows do not depend on who did them",
    "Distil.pilot": "a pilot asks a few, prices the rest, and publishes nothing",
    "TransformersEmbedder.batch_rows": "how many rows are computed at once",
    "AsksTeacher.max_failed": "how much failing is put up with before the stage stops",
    "Distil.max_failed": "how much failing is put up with before the stage stops",
    "Evaluate.decoding": "any but plain sampling is in identity()",
    "Evaluate.checker": "one that is asked is in identity()",
    "Evaluate.shape": "how big the model is, for a plan: its name says which it is",
    "Generate.max_failed": "how much failing is put up with before the stage stops",
    "Generate.shape": "how big the model is, for a plan: its name says which it is",
    "Generate.expected_tokens": "a guess at rows that are not there yet, for a plan",
    "Grade.workers": "how many processes share the work",
    "Regrade.checker": "one that is asked is in identity()",
    "Regrade.decoding": "of the answers, which are an input",
    "Regrade.samples": "of the answers, which are an input",
    "Regrade.temperature": "of the answers, which are an input",
    "Lean.project": "what it holds is in identity()",
    "Lean.workers": "how many processes share the work",
    "Rocq.workers": "how many processes share the work",
    "StepData.shape": "how big the model is, for a plan: its name says which it is",
    "Select.trainer": "where a training runs; the global batch is in the recipe",
    "Select.expected_tokens": "a guess at rows that are not there yet, for a plan",
    "TrainingStage.trainer": "where a training runs; the global batch is in the recipe",
    "TrainingStage.expected_tokens": "a guess at rows that are not there yet, for a plan",
    "TrainingStage.tokens_a_row": "a guess at rows that are not there yet, for a plan",
}


@dataclass(frozen=True)
class Reader:
    path: str = "a"
    content: str = "1"

    def identity(self) -> dict[str, str]:
        return {"sha256": self.content}


@dataclass(frozen=True)
class Toy(Stage):
    kind: ClassVar[str] = "toy"
    version: ClassVar[int] = 1
    reader: Reader = field(default_factory=Reader)
    share: float = 1
    names: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    budget: str = field(default="small", metadata=not_in_key("a budget stops a stage, it does not change its rows"))

    def run(self, ctx):
        raise NotImplementedError


def key(**options):
    return stage_key(Toy(**options), {"x": "k"})


def test_what_means_the_same_has_the_same_key():
    assert key() == key(share=1.0) == key(reader=Reader("a")) == key(names=[])
    assert key(options={"a": 1, "b": 2}) == key(options={"b": 2.0, "a": 1})


@pytest.mark.parametrize(
    "options",
    [{"share": 0.5}, {"names": ["a"]}, {"reader": Reader("b")}, {"reader": Reader("a", "2")}, {"options": {"a": None}}],
)
def test_what_changes_the_rows_changes_the_key(options):
    assert key(**options) != key()


def test_what_is_declared_stays_out_with_its_reason():
    assert key(budget="large") == key()
    assert list(left_out(Toy())) == [("budget", "a budget stops a stage, it does not change its rows")]


NAMES = st.sampled_from(["budget", "timeout", "batch", "files", "trainer", "workers", "a"])  # fields of components, too
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, PLAIN, max_size=3), st.dictionaries(NAMES, PLAIN, max_size=3))
def test_a_users_own_mapping_is_part_of_the_key_whole(one, two):
    same = json.dumps(_as_numbers(one), sort_keys=True) == json.dumps(_as_numbers(two), sort_keys=True)
    assert (key(options=one) == key(options=two)) == same


def _as_numbers(value):
    """1 and 1.0 (and -0.0 and 0) are one number; true is none."""
    if isinstance(value, dict):
        return {name: _as_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_numbers(item) for item in value]
    return float(value) + 0.0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def test_two_classes_of_one_name_are_two():
    class Reader(globals()["Reader"]):
        pass

    Reader.__module__, Reader.__qualname__ = "somebody.elses", "Reader"
    assert key(reader=Reader()) != key()


def test_the_names_of_components_are_unique_in_the_package():
    """A key holds a component's name without its module."""
    options = "\n".join(path.read_text() for path in (SRC.parent / "conf").rglob("*.yaml"))
    targets = set(re.findall(r"_target_: (src\S+)", options))
    assert len({target.rpartition(".")[2] for target in targets}) == len(targets) > 20


def test_what_the_keys_of_the_package_leave_out():
    found = {}
    for path in sorted(SRC.rglob("*.py")):
        if "not_in_key(" in (text := path.read_text()) and path.stem != "fingerprint":
            module = importlib.import_module(".".join(path.relative_to(SRC.parent).with_suffix("").parts))
            for name in re.findall(r"^class (\w+)", text, re.MULTILINE):
                cls = getattr(module, name)
                fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
                own = [f for f in fields if f.name in cls.__annotations__]
                found |= {f"{name}.{f.name}": r for f in own for r in f.metadata.values()}
    assert found == LEFT_OUT


def test_inputs_and_versions_count():
    class Newer(Toy):
        version = 2

    assert stage_key(Toy(), {"x": "k"}) != stage_key(Toy(), {"x": "l"})
    assert stage_key(Toy(), {"x": "k"}) != stage_key(Newer(), {"x": "k"})


def test_golden_key():
    """Fails when the way of making keys changes: then every artifact of every user is made anew. Do it on purpose."""
    assert key(share=0.25, names=("a", "b"), options={"temperature": 1.0}) == "fd15f3bc7219311be6b0"


def test_a_description_builds_the_same_stage():
    toy = Toy(reader=Reader("z"), names=("a", "b"), options={"k": [1, None]})
    assert build(describe(toy)) == toy


def test_an_object_that_cannot_be_described_is_refused():
    with pytest.raises(TypeError, match="plain value or a dataclass"):
        describe(Toy(options={"f": object()}))

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from src.config.build import build
from src.core.fingerprint import MACHINE_FACTS, describe, stage_key
from src.core.stage import Stage


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
    budget: str = "small"

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


def test_machine_facts_stay_out():
    assert key(budget="large") == key()
    assert key(options={"timeout": 3}) == key(options={"timeout": 8})


def test_every_exclusion_gives_its_reason_and_names_an_option():
    assert all(len(reason.split()) >= 3 for reason in MACHINE_FACTS.values())
    source = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "src").rglob("*.py"))
    assert [name for name in MACHINE_FACTS if f"    {name}: " not in source] == []


def test_inputs_and_versions_count():
    class Newer(Toy):
        version = 2

    assert stage_key(Toy(), {"x": "k"}) != stage_key(Toy(), {"x": "l"})
    assert stage_key(Toy(), {"x": "k"}) != stage_key(Newer(), {"x": "k"})


def test_golden_key():
    """Fails when the way of making keys changes: then every artifact of every user is made anew. Do it on purpose."""
    assert key(share=0.25, names=("a", "b"), options={"temperature": 1.0}) == "dbc85f0aaa44db581d24"


def test_a_description_builds_the_same_stage():
    toy = Toy(reader=Reader("z"), names=("a", "b"), options={"k": [1, None]})
    assert build(describe(toy)) == toy


def test_an_object_that_cannot_be_described_is_refused():
    with pytest.raises(TypeError, match="plain value or a dataclass"):
        describe(Toy(options={"f": object()}))

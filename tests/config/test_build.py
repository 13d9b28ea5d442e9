from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from src.config.build import bind, build
from src.config.mistakes import Mistakes
from src.core.errors import UserError

HERE = __name__


@dataclass(frozen=True)
class Engine:
    model: str
    temperature: float = 1.0

    def __post_init__(self):
        if self.temperature < 0:
            raise ValueError(f"temperature must be at least 0, not {self.temperature}")


@dataclass(frozen=True)
class Sampling:
    max_tokens: int = 5


@dataclass(frozen=True)
class Machine:
    engine: Engine
    mode: Literal["fast", "exact"] = "fast"
    names: tuple[str, ...] = ()
    engines: dict[str, Engine] = field(default_factory=dict)
    sampling: dict[str, Sampling] = field(default_factory=dict)
    limit: int | None = None
    anything: dict[str, Any] = field(default_factory=dict)


def node(target: str, **options: Any) -> dict[str, Any]:
    return {"_target_": f"{HERE}.{target}", **options}


def test_nested_nodes_become_objects():
    engine = node("Engine", model="m", temperature=0)
    machine = build(
        node("Machine", engine=engine, engines={"a": engine}, names=["x"], sampling={"cot": {"max_tokens": 9}})
    )
    assert machine == Machine(
        Engine("m", 0.0), engines={"a": Engine("m", 0.0)}, names=("x",), sampling={"cot": Sampling(9)}
    )


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "inf"])
def test_a_number_that_is_not_finite_is_refused_with_what_to_write_instead(value):
    with pytest.raises(UserError, match=r"config.temperature: must be a finite number, not (inf|nan); null takes"):
        build(node("Engine", model="m", temperature=value))


def test_all_mistakes_are_reported_together_under_their_paths():
    mistakes = Mistakes()
    bad = node(
        "Machine",
        engine=node("Engine", modle="m"),
        mode="quick",
        names=3,
        limit="many",
        sampling={"cot": {"max_token": 9}},
        engines={"a": node("Engine", model="m", temperature=-1), "b": node("Sampling")},
        extra=1,
    )
    bind(bad, "machine", mistakes)
    text = "\n".join(mistakes)
    assert "machine.engine.modle: no such option of Engine; did you mean 'model'?" in text
    assert "machine.engine.model: has no value" in text
    assert "machine.mode: 'quick' does not fit" in text
    assert "machine.names: 3 does not fit" in text
    assert "machine.limit: 'many' does not fit" in text
    assert "machine.sampling.cot.max_token: no such option of Sampling; did you mean 'max_tokens'?" in text
    assert "machine.engines.a: temperature must be at least 0, not -1" in text
    assert "machine.engines.b: needs one of kind Engine, which Sampling is not" in text
    assert "machine.extra: no such option of Machine" in text


def test_a_value_left_open_is_named():
    with pytest.raises(UserError, match=r"engine\.model: has no value"):
        build(node("Machine", engine=node("Engine", model="???")))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("src.nowhere.Reader", "no module named 'src.nowhere'"),
        (f"{HERE}.Machina", "did you mean 'Machine'"),
        ("Machine", "'Machine' is not of the form package.module.Class"),
        ("src..nowhere.Reader", "is not of the form"),
    ],
)
def test_a_wrong_target_is_named(target, words):
    with pytest.raises(UserError, match=words):
        build({"_target_": target})


@dataclass(frozen=True)
class Animal(ABC):
    @abstractmethod
    def noise(self): ...


@dataclass(frozen=True)
class Farm:
    animal: Animal


def test_a_component_without_a_target_is_told_to_name_one():
    with pytest.raises(UserError, match="animal: needs a `_target_` that names the kind of Animal"):
        build(node("Farm", animal={}))

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from src.core.errors import UserError
from src.core.fingerprint import left_out
from src.generation.base import Request
from src.generation.budget import Price, dollars
from src.generation.procedural.generator import ProceduralGenerator, words_of, write
from src.generation.procedural.size import Size
from src.prompts.sets import STAGES
from src.text.boxed import last_boxed

ROOT = Path(__file__).parents[3]


def request(i: int = 0, passage: str = "", **context: str) -> Request:
    return Request(
        id=f"r{i}",
        prompt="Write a problem.",
        seed=i,
        context={"stage": "grade_school", "kind": "cot", "passage": passage, **context},
    )


def complete(*requests: Request, **options: float) -> list:
    with ProceduralGenerator(**options).open(None, Path("unused")) as session:
        return list(session.stream(requests))


def test_a_completion_has_the_two_headings_and_a_boxed_answer():
    (done,) = complete(request())
    heading, question, *_ = done.text.split("\n")
    assert heading == "[Problem]" and question.endswith(("?", "."))
    assert "\n\n[Solution]\n" in done.text and last_boxed(done.text)
    assert (done.id, done.finish_reason) == ("r0", "stop")
    assert done.completion_tokens == len(done.text.split()) and done.prompt_tokens == 3


def test_a_tool_completion_has_code_output_and_a_boxed_answer():
    (done,) = complete(request(kind="tool"))
    assert "[Solution]\n```python\n" in done.text and "\n```\n```output\n" in done.text and last_boxed(done.text)


def test_requests_are_pulled_one_at_a_time():
    def endless():
        i = 0
        while True:
            yield request(i)
            i += 1

    with ProceduralGenerator().open(None, Path("unused")) as session:
        stream = session.stream(endless())
        assert [next(stream).id for _ in range(3)] == ["r0", "r1", "r2"]


@given(st.integers(0, 10**6), st.sampled_from(STAGES), st.sampled_from(["cot", "tool"]), st.text(max_size=40))
def test_the_text_depends_on_the_request_alone(i, stage, kind, passage):
    one = request(i, passage, stage=stage, kind=kind)
    others = [request(i + 1), request(i + 2)]
    assert complete(one)[0] == complete(*others, one)[-1]


def test_id_seed_and_passage_each_change_the_text():
    base = request(1, "apples and numbers")
    variants = [replace(base, id="other"), replace(base, seed=2), request(1, "a rectangle"), request(1, stage="aime")]
    assert len({write(r) for r in [base, *variants]}) == 5


def test_another_process_writes_the_same():
    program = (
        "from src.generation.base import Request; from src.generation.procedural.generator import write\n"
        "c = {'stage': 'college', 'kind': 'tool', 'passage': 'matrix'}\n"
        "print(write(Request(id='r7', prompt='', seed=7, context=c)), end='')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == write(request(7, "matrix", stage="college", kind="tool"))


@pytest.mark.slow
def test_the_passage_moves_the_choice_and_excludes_nothing():
    def share(passage: str, mark: str) -> float:
        return sum(mark in write(request(i, passage, stage="college")) for i in range(600)) / 600

    graphs, marks = "The degree of each vertex of the graph, and its edges.", ("edge", "integral", "determinant")
    assert share(graphs, "edge") > 0.7 > 0.3 > share("", "edge")
    assert share("The determinant of a square matrix", "determinant") > 0.6
    found = Counter(m for i in range(3_000) for m in marks if m in write(request(i, graphs, stage="college")))
    assert set(found) == set(marks)


def test_plural_words_of_a_passage_count_too():
    assert words_of("Prime Numbers, matrices") >= {"prime", "number", "numbers", "matrices"}


class Named:
    """A family that writes its name."""

    def __init__(self, name, topics):
        self.name, self.topics, self.numbers = name, frozenset(topics.split()), {}

    def draw(self, *_):
        return None

    def tell(self, *_, **__):
        return SimpleNamespace(question=self.name, solution="")


def test_every_family_keeps_a_chance(monkeypatch):
    passage = "graph edge vertex path cycle tree degree colour"
    families = [Named("fits", passage), Named("fits not", "sheep")]
    monkeypatch.setattr(Size, "taught", lambda *_: families)
    found = Counter(write(request(i, passage)).split("\n")[1] for i in range(1_000))
    assert found["fits"] > 5 * found["fits not"] > 0


def test_the_error_rate_is_the_share_of_wrong_answers():
    requests = [request(i) for i in range(1_000)]
    right, wrong = complete(*requests), complete(*requests, error_rate=0.2)
    differ = [(r, w) for r, w in zip(right, wrong) if last_boxed(r.text) != last_boxed(w.text)]
    assert 150 < len(differ) < 250
    assert all(r.text.split("[Solution]")[0] == w.text.split("[Solution]")[0] for r, w in differ)
    assert complete(*requests, error_rate=0.2) == wrong


def test_a_price_tells_what_another_teacher_would_have_charged():
    priced = ProceduralGenerator(price=Price(prompt=2.5, completion=10))
    assert dollars(priced, 1_000_000, 100_000) == 3.5 and dollars(ProceduralGenerator(), 1_000_000, 100_000) == 0
    assert dict(left_out(priced)).keys() == {"price"}  # no other text, no other key


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_an_impossible_error_rate_is_refused(rate):
    with pytest.raises(ValueError, match=rf"error_rate must lie in \[0, 1\], not {rate}"):
        ProceduralGenerator(error_rate=rate)


def test_a_small_teacher_keeps_to_its_corner():
    """The first family of the stage alone, with numbers of one or two digits."""
    asked = [request(i) for i in range(120)]
    small = [done.text for done in complete(*asked, size=Size(families=1, numbers=0.25))]
    whole = [done.text for done in complete(*asked)]
    assert any("starts at" in text for text in whole) and not any("starts at" in text for text in small)
    assert max(int(number) for text in small for number in re.findall(r"\d+", text)) < 100


def test_a_teacher_tells_composed_stories_in_their_share_and_others_as_before():
    """Only where grade school is asked for: every other request is answered as by a teacher that tells none."""
    asked = [request(i, stage=STAGES[i % 2]) for i in range(400)]
    plain = [done.text for done in complete(*asked)]
    mixed = [done.text for done in complete(*asked, size=Size(composed=0.5))]
    changed = [i for i, (one, other) in enumerate(zip(plain, mixed)) if one != other]
    assert all(asked[i].context["stage"] == "grade_school" for i in changed)
    told = [done.text for done in complete(*asked[::2], size=Size(composed=1.0))]
    bare = {re.sub(r"\d[\d.]*|[A-Z][a-z]+", "_", text) for text in told}
    assert len(bare) > 160  # of 200; the families of grade school have some sixty wordings
    assert complete(*asked, size=Size(composed=0.0)) == complete(*asked)
    dev = [replace(each, context={**each.context, "split": "dev"}) for each in asked]
    assert complete(*dev, size=Size(composed=1.0)) == complete(*dev)


@pytest.mark.parametrize(("key", "value"), [("stage", "nursery"), ("kind", "poem"), ("split", "held_out")])
def test_a_context_that_makes_no_sense_is_named(key, value):
    with pytest.raises(UserError, match=rf"{key}='{value}' in the context of request r0") as error:
        complete(request(**{key: value}))
    assert "one of:" in error.value.mend


def test_the_module_and_the_config_load_without_sympy():
    config = yaml.safe_load((ROOT / "conf/generator/procedural.yaml").read_text())
    assert config.pop("_target_") == "src.generation.procedural.generator.ProceduralGenerator"
    built = ProceduralGenerator(**config)
    assert built.name == "procedural" and set(built.identity()) == {"families"}
    heavy = "import sys, src.generation.procedural.generator; assert not {'sympy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", heavy], check=True, cwd=ROOT)

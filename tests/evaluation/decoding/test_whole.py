import time

import pytest

from src.evaluation.decoding.base import Candidate, DecodingCompute
from src.evaluation.decoding.rewards import RewardModel
from src.evaluation.decoding.trees import Beam, Forest, Levin
from src.evaluation.decoding.whole import BestOfN, Independent, Majority, WeightedMajority, value_of
from src.evaluation.requests import Answer
from src.generation.base import Completion
from src.modeling.shape import Shape
from tests.evaluation.decoding.synthetic import Shares, Walks, plan_of, resources

SHAPE = Shape(hidden=4, layers=1, kv=4, intermediate=8, vocab=10)


def candidates(*values, trees=None):
    trees = trees or range(len(values))
    return [Candidate(Answer("", "stop", 1), v, v, tree) for v, tree in zip(values, trees, strict=True)]


@pytest.mark.parametrize(
    ("decoding", "keys", "values", "chosen"),
    [
        (Independent(), ["a", "b"], [0.1, 0.2], None),
        (Majority(), ["a", "b", "b"], [1, 1, 1], 1),
        (Majority(), [None, None], [1, 1], 0),
        (BestOfN(), ["a", "b", "b"], [0.9, 0.6, 0.5], 0),
        (BestOfN(), ["a", "b"], [0.5, 0.5], 0),
        (WeightedMajority(), ["a", "b", "b"], [0.9, 0.5, 0.6], 2),
        (WeightedMajority(), [None, "b", None], [0.9, 0.1, 0.9], 1),
        (WeightedMajority(), [None, None], [0.1, 0.9], 0),
        (Levin(), ["a", "b"], [0.1, 0.2], 1),
        (Beam(), ["a", "b"], [0.3, 0.2], 0),
    ],
)
def test_the_answer_that_is_chosen(decoding, keys, values, chosen):
    assert decoding.choose(keys, candidates(*values)) == chosen


def test_in_a_forest_each_tree_has_one_vote():
    found = candidates(0.9, 0.8, 0.5, 0.6, trees=(0, 0, 1, 2))
    assert Forest().choose(["a", "a", "b", "b"], found) == 3


@pytest.mark.parametrize(("aggregate", "value"), [("product", 0.25), ("mean", 0.5), ("min", 0.5), ("last", 0.5)])
def test_a_path_s_value(aggregate, value):
    assert value_of([0.5, 0.5], aggregate) == value
    assert value_of([], aggregate) == 1.0


def test_an_empty_answer_is_worth_nothing(tmp_path):
    class Silent(Walks):
        def write(self, request):
            if len(self.asked) % 2:
                return Completion(request.id, "", "stop" if len(self.asked) % 4 == 1 else "error")
            return super().write(request)

    with resources(tmp_path, Silent(2), Shares()) as found:
        decoding = BestOfN(samples=8)
        (decoded,) = decoding.decode(plan_of(1, 8), found)
    values = {candidate.answer.text: candidate.value for candidate in decoded.candidates}
    assert values[""] == 0 and len(values) > 1
    assert decoded.candidates[decoding.choose([None] * 8, decoded.candidates)].answer.text


def test_all_whole_answer_decodings_see_the_same_answers_and_score_them_once(tmp_path):
    plan = plan_of(4, 3)
    texts = []
    for number, decoding in enumerate((Independent(samples=3), Majority(samples=3), BestOfN(samples=3))):
        scorer = Shares()
        with resources(tmp_path / str(number), Walks(2), scorer) as found:
            decoded = decoding.decode(plan, found)
        texts.append([[c.answer.text for c in each.candidates] for each in decoded])
    assert texts[0] == texts[1] == texts[2]
    assert all(0 < c.value < 1 for each in decoded for c in each.candidates)
    different = sum(len(set(each)) for each in texts[0])
    assert sum(scorer.batches) == different
    assert sum(each.compute.scored for each in decoded) == 10 * different
    with resources(tmp_path / "2") as found:
        never = lambda: pytest.fail("opened")  # noqa: E731
        again = BestOfN(samples=3).decode(plan, type(found)(never, never, found.journal, found.progress, None))
    assert [each.candidates for each in again] == [each.candidates for each in decoded]


def test_rating_takes_time_and_the_journal_remembers_it(tmp_path):
    class Slow(Shares):
        def score(self, partials):
            time.sleep(0.05)
            return super().score(partials)

    decoding = BestOfN(samples=3)
    with resources(tmp_path, Walks(2), Slow()) as found:
        made = decoding.decode(plan_of(4, 3), found)
    with resources(tmp_path) as found:
        again = decoding.decode(plan_of(4, 3), found)
    assert sum(each.compute.seconds for each in made) >= 0.05
    assert [each.compute.seconds for each in again] == pytest.approx([each.compute.seconds for each in made])


def test_rating_tells_how_far_it_is(tmp_path, monkeypatch):
    """A few answers at a time, with what a run before the last kill had rated."""
    monkeypatch.setattr("src.evaluation.decoding.whole.SCORED_AT_ONCE", 3)
    notes = []
    with resources(tmp_path, Walks(2), Shares()) as found:
        monkeypatch.setattr(found.progress, "advance", lambda n=1, note=None: notes.append(note))
        BestOfN(samples=3).decode(plan_of(4, 3), found)
    told = [note.split(" answers")[0] for note in notes if note]
    total = told[0].partition("/")[2]
    assert told == [f"rated: {done}/{total}" for done in range(0, int(total), 3)]


def test_operations_are_counted_by_the_stated_rule():
    compute = DecodingCompute(generated=100, prompt=20, scored=50)
    n = SHAPE.working_parameters
    assert compute.flops(SHAPE, SHAPE) == 2 * n * 170
    assert DecodingCompute(generated=100, prompt=20).flops(SHAPE, None) == 2 * n * 120
    assert compute.flops(SHAPE, None) is None and compute.flops(None, SHAPE) is None


@pytest.mark.parametrize(
    ("kind", "options", "match"),
    [
        (Levin, {"depth": 0}, "depth"),
        (Levin, {"judge": "classes"}, "name one by decoding.reward"),
        (Levin, {"judge": "likelihood", "reward": RewardModel("m", judge="classes")}, "set decoding.reward.judge"),
        (Levin, {"delimiter": ""}, "delimiter"),
        (Beam, {"samples": 2, "width": 3}, "width"),
        (Forest, {"forest": 0}, "forest"),
        (Majority, {"samples": 0}, "samples"),
    ],
)
def test_senseless_options_are_refused(kind, options, match):
    with pytest.raises(ValueError, match=match):
        kind(**options)

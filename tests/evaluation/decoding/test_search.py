import dataclasses
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import UserError
from src.evaluation.decoding.rewards import Scores, StepScorer
from src.evaluation.decoding.search import search
from src.evaluation.decoding.trees import Beam, Forest, Levin
from src.evaluation.decoding.whole import Independent
from src.evaluation.prompting import Prompting
from src.generation.base import Completion
from tests.evaluation.decoding.synthetic import Shares, Walks, plan_of, resources, sampled_answers

KINDS = {
    "beam": Beam(samples=6, width=2),
    "levin": Levin(samples=3),
    "best_first": Levin(samples=3, order="best_first"),
    "forest": Forest(samples=6, forest=3),
}


class LikeAll(StepScorer):
    """Every step is as good as any other."""

    def score(self, partials):
        return [Scores((0.5,) * (len(p.steps) - p.first), 10) for p in partials]


few = settings(max_examples=25, deadline=None)


def decode(options, plan, session=None, scorer=None, folder=None):
    with tempfile.TemporaryDirectory() as new, resources(Path(folder or new), session, scorer) as found:
        return options.decode(plan, found)


def digits(text):
    return tuple(map(int, text.partition("{")[2].partition("}")[0]))


@few
@given(children=st.integers(2, 5), depth=st.integers(1, 4), questions=st.integers(1, 3))
def test_levin_finds_the_cheapest_answer_within_its_bound(children, depth, questions):
    plan = plan_of(questions)
    options = Levin(samples=children, tokens=100_000)
    for planned, found in zip(plan, decode(options, plan, Walks(depth)), strict=True):
        costs = {path: (depth + 2) / value for path, value in sampled_answers(planned, children, depth).items()}
        best = found.candidates[options.choose([], found.candidates)]
        assert (depth + 2) / best.value == pytest.approx(min(costs.values()))
        expanded = {tuple(row["path"][:-1]) for row in found.nodes if row["path"]}
        assert len(expanded) <= min(costs.values())


@few
@given(children=st.integers(2, 5), depth=st.integers(1, 4))
def test_best_first_and_a_wide_beam_find_the_most_valued_answer(children, depth):
    plan = plan_of(1)
    value = max(sampled_answers(plan[0], children, depth).values())
    (found,) = decode(Levin(samples=children, order="best_first", tokens=100_000), plan, Walks(depth))
    assert max(c.value for c in found.candidates) == pytest.approx(value)


def test_a_beam_as_wide_as_the_tree_finds_the_most_valued_answer():
    """Sixteen steps a node: of 4 digits none is missed, and none has to go."""
    plan = plan_of(3)
    options = Beam(samples=16 * 64, width=64, tokens=100_000)
    for found in decode(options, plan, Walks(3)):
        assert digits(found.candidates[options.choose([], found.candidates)].answer.text) == (2, 2, 2)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("order", "at_once"), [(1, 1), (2, 3), (3, 1_000)])
def test_neither_order_nor_batch_changes_what_is_found(options, order, at_once):
    plan = plan_of(5, options.trees)
    first, other = Walks(), Walks(order=order, at_once=at_once)
    for one, two in zip(decode(options, plan, first), decode(options, plan, other), strict=True):
        assert one.candidates == two.candidates and one.nodes == two.nodes
        assert one.compute.generated == two.compute.generated and one.compute.scored == two.compute.scored


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_what_other_questions_are_asked_changes_nothing(options):
    plan = plan_of(4, options.trees)
    together = decode(options, plan)
    alone = [decode(options, [planned])[0] for planned in plan]
    assert [found.candidates for found in together] == [found.candidates for found in alone]


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("dies", [0, 1, 7, 20])
def test_a_killed_search_goes_on_and_asks_nothing_twice(options, dies, tmp_path):
    plan = plan_of(4, options.trees)
    whole, first, again = Walks(), Walks(dies=dies), Walks()
    expected = decode(options, plan, whole)
    with pytest.raises(KeyboardInterrupt):
        decode(options, plan, first, folder=tmp_path)
    found = decode(options, plan, again, folder=tmp_path)
    assert [f.candidates for f in found] == [f.candidates for f in expected]
    assert sorted(first.asked + again.asked) == sorted(whole.asked)


@pytest.mark.parametrize(
    "options",
    [Forest(samples=7), Forest(samples=6, forest=2, tree="beam"), Beam(samples=8, width=3), Levin(samples=5)],
)
def test_samples_that_do_not_come_out_even_are_all_drawn(options):
    """A round of four trees, or of a beam three nodes wide, has as many steps as there are samples."""
    session, rounds = Walks(4, at_once=1_000), []
    stream = session.stream
    session.stream = lambda requests: rounds.append(len(requests)) or stream(requests)
    decode(replace(options, tokens=1_000), plan_of(1, options.trees), session)
    assert rounds[0] == options.samples
    if isinstance(options, Beam):
        assert rounds == [options.samples] * 5


def test_a_finished_search_opens_neither_engine_nor_reward_model(tmp_path):
    plan, options = plan_of(3), Levin(samples=3)
    expected = decode(options, plan, folder=tmp_path)
    with resources(tmp_path) as found:
        closed = lambda: pytest.fail("opened")  # noqa: E731
        again = options.decode(plan, type(found)(closed, closed, found.journal, found.progress, found.pool))
    assert [f.candidates for f in again] == [f.candidates for f in expected]


@few
@given(tokens=st.integers(1, 60), kind=st.sampled_from(sorted(KINDS)), depth=st.integers(1, 6))
def test_no_token_passes_the_budget(tokens, kind, depth):
    options = type(KINDS[kind])(**{**vars(KINDS[kind]), "tokens": tokens})
    session = Walks(depth)
    (found,) = decode(options, plan_of(1, options.trees), session)
    assert found.compute.generated == session.generated <= tokens
    assert found.candidates


@few
@given(expansions=st.integers(1, 9), kind=st.sampled_from(["beam", "levin", "best_first", "forest"]))
def test_no_expansion_passes_the_budget(expansions, kind):
    options = type(KINDS[kind])(**{**vars(KINDS[kind]), "expansions": expansions})
    (found,) = decode(options, plan_of(1, options.trees), Walks(5))
    assert len({(row["tree"], *row["path"][:-1]) for row in found.nodes if row["path"]}) <= expansions


def test_no_answer_is_longer_than_allowed():
    (found,) = decode(Levin(samples=3), plan_of(1, max_tokens=7), Walks(5))
    assert all(candidate.answer.tokens <= 7 for candidate in found.candidates)
    assert [candidate.answer.finish_reason for candidate in found.candidates] == ["length"]


@pytest.mark.parametrize("options", [Beam(samples=1), Levin(samples=1), Forest(samples=3, forest=3)])
def test_a_search_without_a_choice_is_plain_sampling(options):
    plan = plan_of(4, options.trees)
    sampled = decode(Independent(samples=options.trees), plan)
    found = decode(options, plan)
    texts = [[[c.answer.text for c in f.candidates] for f in each] for each in (sampled, found)]
    assert texts[0] == texts[1]
    assert [f.compute.generated for f in found] == [f.compute.generated for f in sampled]


@few
@given(tokens=st.integers(1, 60), options=st.sampled_from([Beam(samples=1), Levin(samples=1), Forest(samples=4)]))
def test_budgets_bind_a_search_without_a_choice_too(tokens, options):
    limited = dataclasses.replace(options, tokens=tokens)
    session = Walks(5)
    (found,) = decode(limited, plan_of(1, limited.trees), session)
    assert found.compute.generated == session.generated <= tokens
    assert found.candidates and limited.trees <= tokens
    (shallow,) = decode(dataclasses.replace(options, depth=2), plan_of(1, options.trees), Walks(5))
    assert max(len(row["path"]) for row in shallow.nodes) == 2


def test_depth_ends_a_path():
    (found,) = decode(Beam(samples=4, depth=2), plan_of(1), Walks(5))
    assert max(len(row["path"]) for row in found.nodes) == 2
    assert {row["state"] for row in found.nodes if len(row["path"]) == 2} == {"cut"}


def test_blank_lines_are_no_steps():
    plain, spaced = (decode(Levin(samples=3), plan_of(1), Walks(blank=blank))[0] for blank in (False, True))
    assert all(row["step"] for row in spaced.nodes if row["path"])
    assert "\n\n" not in plain.candidates[0].answer.text and "\ngo" in spaced.candidates[0].answer.text


def test_a_stop_string_that_begins_with_a_line_end_ends_an_answer_all_the_same():
    """Few-shot answers end at "\\nQuestion:", whose line end has ended the step before."""

    class Chatty(Walks):
        def write(self, request):
            if request.prompt.endswith("go 1\n"):
                (stop,) = (stop for stop in request.sampling.stop if "Question: and so on".startswith(stop))
                return Completion(request.id, "", "stop", 9, 1, stopped_at=stop)
            return Completion(request.id, "go 1", "stop", 9, 3, stopped_at="\n")

    (planned,) = plan_of(1)
    root = planned.requests[0]
    root = dataclasses.replace(root, sampling=dataclasses.replace(root.sampling, stop=("\nQuestion:",)))
    (found,) = decode(Levin(samples=3), [dataclasses.replace(planned, requests=(root,))], Chatty())
    assert [candidate.answer.text for candidate in found.candidates] == ["go 1"]
    assert found.candidates[0].answer.finish_reason == "stop"


@pytest.mark.parametrize(
    ("stop", "step", "said", "ends"),
    [
        ("\nQuestion", "The Question asks", "The ", False),  # within a step it is a word like any other
        ("\nQuestion", "Question", "", True),
        ("\n\nQuestion", "Question", "", False),  # one line end was written, not two
        ("END", "so END", "so ", True),
    ],
)
def test_a_stop_string_ends_an_answer_where_plain_sampling_would_end(stop, step, said, ends):
    class Says(Walks):
        def write(self, request):
            solution = request.prompt.partition("## Solution\n")[2]
            if not solution:
                return Completion(request.id, "go 1", "stop", 9, 3, stopped_at="\n")
            rest = step.removeprefix(solution.rpartition("\n")[2])
            for each in sorted(request.sampling.stop, key=len):
                if each in rest:
                    return Completion(request.id, rest.partition(each)[0], "stop", 9, 1, stopped_at=each)
            return Completion(request.id, f"{rest} \\boxed{{1}}", "stop", 9, 3)

    (planned,) = plan_of(1)
    root = planned.requests[0]
    root = dataclasses.replace(root, sampling=dataclasses.replace(root.sampling, stop=(stop,)))
    (found,) = decode(Levin(samples=2), [dataclasses.replace(planned, requests=(root,))], Says(), LikeAll())
    expected = f"go 1\n{said}".rstrip() if ends else f"go 1\n{step} \\boxed{{1}}"
    assert {candidate.answer.text for candidate in found.candidates} == {expected}


def test_a_style_whose_answers_are_a_line_ends_with_the_line():
    (planned,) = plan_of(1)
    root = planned.requests[0]
    root = dataclasses.replace(root, sampling=dataclasses.replace(root.sampling, stop=("\n",)))
    (found,) = decode(Levin(samples=3), [dataclasses.replace(planned, requests=(root,))], Walks(4))
    assert {len(row["path"]) for row in found.nodes} == {0, 1}
    assert {candidate.answer.finish_reason for candidate in found.candidates} == {"stop"}


def test_a_search_from_the_journal_took_as_long_as_when_it_was_made(tmp_path):
    class Slow(Shares):
        def score(self, partials):
            time.sleep(0.02)
            return super().score(partials)

    plan = plan_of(3)
    made = decode(Levin(samples=3), plan, scorer=Slow(), folder=tmp_path)
    again = decode(Levin(samples=3), plan, folder=tmp_path)
    assert sum(each.compute.seconds for each in made) >= 0.02
    assert [each.compute.seconds for each in again] == pytest.approx([each.compute.seconds for each in made])


def test_siblings_with_the_same_text_are_one_node():
    (found,) = decode(Beam(samples=40, width=1), plan_of(1), Walks(1))
    first = [row["step"] for row in found.nodes if len(row["path"]) == 1]
    assert sorted(first) == ["go 1", "go 2", "go 3", "go 4"]


def test_steps_are_scored_many_at_a_time():
    scorer = Shares()
    decode(Levin(samples=4), plan_of(40), scorer=scorer)
    assert max(scorer.batches) > 40


def test_a_step_that_fails_is_left_out():
    class Fails(Walks):
        def write(self, request):
            if len(self.asked) % 2:
                return Completion(request.id, "", "error", error="lost")
            return super().write(request)

    found = decode(Levin(samples=4), plan_of(2), Fails())
    assert all(candidate.answer.finish_reason == "stop" for each in found for candidate in each.candidates)
    (nothing,) = decode(Levin(samples=4), plan_of(1), type("Dead", (Walks,), {"write": lambda self, r: lost(r)})())
    assert [candidate.answer.finish_reason for candidate in nothing.candidates] == ["error"]


def test_what_another_time_may_spare_ends_no_search(tmp_path):
    class Throttled(Walks):
        def write(self, request):
            if len(self.asked) == 3:
                return Completion(request.id, "", "error", error="throttled: 429", transient=True)
            return super().write(request)

    with pytest.raises(UserError, match=r"1 of \d+ answers are not to be had now: 1 x throttled"):
        decode(Levin(samples=4), plan_of(2), Throttled(), folder=tmp_path)
    again, undisturbed = decode(Levin(samples=4), plan_of(2), folder=tmp_path), decode(Levin(samples=4), plan_of(2))
    assert [(each.candidates, each.nodes) for each in again] == [(each.candidates, each.nodes) for each in undisturbed]


@pytest.mark.parametrize("options", [Beam(samples=4), Levin(samples=4), Forest(samples=8, forest=2, tree="beam")])
def test_a_draft_that_meets_its_limit_ends_no_search(options):
    class Rambles(Walks):
        def write(self, request):
            if len(self.asked) % 4 == 1:
                return Completion(request.id, "and so on ", "length", 2, 5)
            return super().write(request)

    found = decode(options, plan_of(3, 2), Rambles())
    assert {candidate.answer.finish_reason for each in found for candidate in each.candidates} == {"stop"}


@pytest.mark.parametrize("options", [Beam(samples=4), Levin(samples=4)])
def test_an_answer_without_a_step_is_chosen_for_no_other(options):
    class Silent(Walks):
        def write(self, request):
            if len(self.asked) == 1:
                return Completion(request.id, "", "stop", 2, 1)
            return super().write(request)

    (found,) = decode(options, plan_of(1), Silent())
    keys = ["1"] * len(found.candidates)
    assert found.candidates[options.choose(keys, found.candidates)].answer.text


def test_requests_that_the_engine_drops_end_no_search():
    class Drops(Walks):
        def stream(self, requests):
            for number, completion in enumerate(super().stream(requests)):
                if number % 3:
                    yield completion

    found = decode(Levin(samples=6), plan_of(6), Drops())
    assert {candidate.answer.finish_reason for each in found for candidate in each.candidates} == {"stop"}


def lost(request):
    return Completion(request.id, "", "error", error="lost")


def test_answers_by_programs_are_not_searched(tmp_path):
    (planned,) = plan_of(1)
    planned = type(planned)(**{**{n: getattr(planned, n) for n in vars(planned)}, "way": Prompting(str, programs=1)})
    with resources(tmp_path) as found, pytest.raises(UserError, match="steps of text"):
        search(Levin(samples=2), [planned], found)


def test_the_nodes_are_ready_for_a_report():
    (found,) = decode(Levin(samples=3), plan_of(1))
    rows = json.loads(json.dumps(found.nodes))
    paths = [tuple(row["path"]) for row in rows]
    assert paths[0] == () and all(path[:-1] in paths[:i] for i, path in enumerate(paths) if path)
    assert rows[1]["reward"] == pytest.approx(rows[1]["value"])
    assert found.compute.prompt == 9

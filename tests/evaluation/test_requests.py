import pytest

from src.core.errors import UserError
from src.core.journal import Journal
from src.core.progress import Progress
from src.evaluation.benchmark import FileBenchmark
from src.evaluation.program_pool import ProgramPool
from src.evaluation.programs import extract_from_run
from src.evaluation.prompting import Protocol
from src.evaluation.question import Question, named
from src.evaluation.requests import RequestPlanner, collect
from src.generation.base import Completion, Session

QUESTIONS = named([Question("What is 6 times 7?", "42"), Question("What is 2 + 2?", "4")])


class Script(Session):
    """Says the given lines, one a turn, whatever it is asked; remembers the requests."""

    def __init__(self, *lines, reason="stop"):
        self.lines, self.reason, self.asked = lines, reason, []

    def stream(self, requests):
        for request in list(requests):
            turn = sum(r.prompt.startswith(request.prompt.partition("## Code Solution")[0]) for r in self.asked)
            self.asked.append(request)
            yield Completion(request.id, self.lines[min(turn, len(self.lines) - 1)], self.reason, 10, 8)


@pytest.fixture(scope="module")
def pool(isolation):
    with ProgramPool(workers=2, seconds=2.0) as pool:
        yield pool


def ask(session, pool, folder, style, questions=QUESTIONS, bar=None, **options):
    benchmark = FileBenchmark(
        path="x", fields={"question": "q", "answer": "a"}, max_tokens=options.pop("max_tokens", 64)
    )
    plan = RequestPlanner(Protocol(style, **options)).plan("m", {"sums": benchmark}, {"sums": questions})
    with Journal(folder) as journal:
        answers = collect(plan, lambda: session, journal, bar or Progress("ask"), pool)
    return [answers[planned.requests[0].id] for planned in plan]


@pytest.mark.slow
def test_with_a_tool_the_model_reads_its_output_and_goes_on(pool, tmp_path):
    session = Script("```python\nx = 6 * 7\nprint(x)\n```\n", "That makes \\boxed{42}.")
    first, second = ask(session, pool, tmp_path, "tool")
    assert first.text == "```python\nx = 6 * 7\nprint(x)\n```\n```output\n42\n```\nThat makes \\boxed{42}."
    assert (first.finish_reason, first.tokens) == ("stop", 16)
    assert second.text == first.text
    start, _, later, _ = session.asked
    assert start.prompt == "## Question\nWhat is 6 times 7?\n\n## Code Solution\n"
    assert later.prompt == start.prompt + "```python\nx = 6 * 7\nprint(x)\n```\n```output\n42\n```\n"
    assert (start.sampling.max_tokens, later.sampling.max_tokens) == (64, 56)
    assert start.seed != later.seed and "```output" in start.sampling.stop


@pytest.mark.slow
def test_names_live_on_from_program_to_program(pool, tmp_path):
    session = Script("```python\nx = 6\nprint(x)\n```", "```python\nprint(7 * x)\n```", "\\boxed{42}")
    answer = ask(session, pool, tmp_path, "tool", QUESTIONS[:1])[0]
    assert "```output\n6\n```" in answer.text
    assert "```output\n42\n```" in answer.text


def test_the_number_of_programs_is_limited(pool, tmp_path):
    session = Script("```python\nprint(1)\n```")
    answer = ask(session, pool, tmp_path, "tool", QUESTIONS[:1], turns=2)[0]
    assert answer.finish_reason == "turns"
    assert answer.text.count("```output") == 2
    assert len(session.asked) == 3


def test_the_tokens_of_all_turns_are_limited_together(pool, tmp_path):
    session = Script("```python\nprint(1)\n```")
    answer = ask(session, pool, tmp_path, "tool", QUESTIONS[:1], turns=9, max_tokens=20)[0]
    assert answer.finish_reason == "length"
    assert [request.sampling.max_tokens for request in session.asked] == [20, 12, 4]


def test_a_program_s_output_is_the_answer(pool, tmp_path):
    session = Script("a = 6 * 7\nprint('so', a)\n")
    answer = ask(session, pool, tmp_path, "program", QUESTIONS[:1], shots=2)[0]
    prompt = session.asked[0].prompt
    assert prompt.count("Question:") == 3 and prompt.endswith("What is 6 times 7?\n```python\n")
    assert answer.text == "```python\na = 6 * 7\nprint('so', a)\n```\n```output\nso 42\n```\n"
    assert extract_from_run(answer.text, "number") == "42"
    assert len(session.asked) == 1


def test_a_program_that_was_cut_is_not_run(pool, tmp_path):
    answer = ask(Script("a = 6 *", reason="length"), pool, tmp_path, "program", QUESTIONS[:1])[0]
    assert (answer.text, answer.finish_reason) == ("```python\na = 6 *", "length")


def test_what_is_on_record_is_not_asked_again(pool, tmp_path):
    first = ask(Script("```python\nprint(42)\n```\n", "\\boxed{42}"), pool, tmp_path, "tool")
    silent, bar = Script("never"), Progress("ask")
    assert ask(silent, pool, tmp_path, "tool", bar=bar) == first
    assert not silent.asked and bar.done == len(first) and bar.rate == 0


def test_seconds_add_up_to_the_time_taken(pool, tmp_path):
    import time

    class Slow(Script):
        def stream(self, requests):
            for completion in super().stream(requests):
                time.sleep(0.05)
                yield completion

    answers = ask(Slow("\\boxed{42}"), pool, tmp_path, "corpus")
    assert sum(answer.seconds for answer in answers) == pytest.approx(0.1, abs=0.05)


def ids(**options):
    benchmark = FileBenchmark(path="x", fields={"question": "q", "answer": "a"})
    plan = RequestPlanner(Protocol(), **options).plan(None, {"sums": benchmark}, {"sums": QUESTIONS})
    return {request.id for planned in plan for request in planned.requests}


@pytest.mark.parametrize("options", [{"seed": 1}, {"asked_of": "another engine"}, {"max_tokens": 9}])
def test_answers_of_another_seed_engine_or_length_are_not_taken_for_these(options):
    assert ids() == ids() and not ids() & ids(**options)


def test_what_another_time_may_spare_is_asked_again(pool, tmp_path):
    class Throttled(Script):
        def stream(self, requests):
            for number, completion in enumerate(super().stream(requests)):
                failed = Completion(completion.id, "", "error", error="throttled: 429", transient=True)
                yield completion if number else failed

    with pytest.raises(UserError, match="1 of 2 answers are not to be had now: 1 x throttled"):
        ask(Throttled("\\boxed{4}"), pool, tmp_path, "corpus")
    again = Script("\\boxed{42}")
    assert [answer.text for answer in ask(again, pool, tmp_path, "corpus")] == ["\\boxed{42}", "\\boxed{4}"]
    assert len(again.asked) == 1

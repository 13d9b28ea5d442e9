import pytest

from src.config.mistakes import Mistakes
from src.core.records import Generation, Problem, read_table
from src.core.store import Store
from src.core.tracking import NoTracker
from src.evaluation.grading import grade
from src.generation.procedural import generator
from src.generation.procedural.recognition import recognise
from src.keypoints.records import KeyPointQuestion
from src.pipeline.graph import draw
from src.pipeline.job import OF_EVERY_RUN
from src.pipeline.launch import Local
from src.pipeline.runner import Runner
from src.pipeline.sections import check_sections
from src.text.boxed import last_boxed
from src.trace import trace
from tests.pipeline.composed import composed, nodes_of

pytestmark = pytest.mark.slow

DATA = ("seeds", "key_points", "topics", "compositions", "questions", "rating", "answers", "consensus")
WORDS = (
    *("method=kpdds", "benchmark@seeds.benchmarks=procedural_seen", "benchmark=[procedural_seen]"),
    *("seeds.benchmarks.procedural_seen.n=80", "compositions.count=80", "clean.decontamination=null"),
)


@pytest.fixture(scope="module")
def nodes():
    return nodes_of(composed("method=kpdds"))


def test_the_graph_is_the_papers(nodes):
    assert list(nodes) == [*DATA, "clean", "evaluate_base", "pretrain", "evaluate"]
    assert nodes["answers"].inputs == {name: nodes[node] for name, node in
                                       (("questions", "rating"), ("seeds", "seeds"), ("topics", "topics"))}  # fmt: skip
    assert nodes["clean"].inputs == {
        "passages": nodes["seeds"],
        "generations": nodes["consensus"],
        "seeds": nodes["seeds"],
    }
    assert nodes["pretrain"].inputs == {"corpus": nodes["clean"]}


def test_it_shares_the_examination_of_the_base_with_jiuzhang3(nodes):
    other = nodes_of(composed())
    assert [name for name in nodes if name in other and other[name].key == nodes[name].key] == ["evaluate_base"]


def test_one_teacher_is_asked_everything(nodes):
    asked = [node.stage.teacher for node in nodes.values() if hasattr(node.stage, "teacher")]
    assert len(asked) == 4 and len(set(asked)) == 1


@pytest.mark.parametrize("scale", ["laptop", "study"])
def test_kpdds_few_makes_as_many_calls_at_most_as_the_methods_beside_it(scale):
    few, other = (nodes_of(composed(f"method={method}", f"scale={scale}")) for method in ("kpdds_few", "jiuzhang3"))
    asked = sum(node.stage.calls for node in few.values() if hasattr(node.stage, "teacher"))
    assert asked == sum(node.stage.asked for node in other.values() if node.stage.kind == "distil") == 600


def test_the_papers_scale_has_the_papers_numbers():
    paper = composed("method=kpdds", "scale=paper")
    assert list(paper["seeds"]["benchmarks"]) == ["gsm8k", "math"] and paper["key_points"]["calls"] == 7473 + 7500
    assert paper["compositions"]["topics"] == [2, 3] and paper["topics"]["many"] == 5
    assert paper["rating"]["least"] == 0.85 and paper["consensus"]["most_parts"] == 3
    answers, recipe = paper["answers"], paper["pretrain"]["recipe"]
    assert (answers["samples"], answers["sampling"]["temperature"], answers["sampling"]["top_p"]) == (10, 0.75, 0.95)
    assert (recipe["epochs"], recipe["lr"], recipe["schedule"]["warmup"]) == (3, 1e-5, 0.03)


def run(folder, stages=(*DATA, "clean")):
    """The artifacts of the data's stages, and what was said of each."""
    nodes = [node for name, node in nodes_of(composed(*WORDS)).items() if name in stages]
    said = []
    tracker = NoTracker().start("s", "n", "i", {}, folder)
    runner = Runner(Store(folder / "store"), Local(isolate=False), tracker, folder / "cache", "test", said.append)
    return runner.walk(nodes), said


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return run(folder)[0], folder


def problems(artifact):
    return list(read_table(artifact.path / "problems", Problem))


def test_offline_every_stage_decides_something(made):
    rejected = {name: artifact.manifest["counts"]["rejected"] for name, artifact in made[0].items()}
    assert "merged into another topic" in rejected["topics"]
    assert "rated below 0.85" in rejected["rating"]
    assert {"wrong arithmetic", "more solutions agree on another answer"} <= rejected["consensus"].keys()
    assert len(problems(made[0]["clean"])) > 20


def test_of_a_teacher_that_errs_often_nearly_all_problems_are_right(made):
    """By the families' own solutions, which no stage has seen."""

    def right(question, answer):
        known = recognise(question)
        return known is not None and answer is not None and grade(str(known.values["answer"]), answer).correct

    kept = [right(p.question, p.answer) for p in problems(made[0]["clean"])]
    assert sum(kept) / len(kept) >= 0.95
    questions = {q.id: q.text for q in read_table(made[0]["rating"].path / "questions", KeyPointQuestion)}
    texts = read_table(made[0]["answers"].path / "generations", Generation)
    wrote = [right(questions[text.id.rpartition("-")[0]], last_boxed(text.text)) for text in texts]
    assert sum(wrote) / len(wrote) < 0.9


def test_a_problem_is_traced_to_its_prompt_and_to_the_seed_behind_it(made):
    artifacts, folder = made
    problem = problems(artifacts["clean"])[0]
    told = "\n".join(trace(folder, problem.id))
    seed = next(p for p in problems(artifacts["seeds"]) if p.id == problem.passage_id)
    for part in (f"corpus row {problem.id}", f"prompt {problem.prompt_id}", "Set 1. Topic: ", f"passage {seed.id}"):
        assert part in told


def test_typed_again_nothing_is_executed(made):
    artifacts, folder = made
    again, said = run(folder)
    assert {name: a.path for name, a in again.items()} == {name: a.path for name, a in artifacts.items()}
    assert sum("reused" in line for line in said) == len(said)


def test_an_option_that_it_has_not_is_refused():
    config, mistakes = composed("method=kpdds", "corpus=jsonl", "corpus.files=x.jsonl"), Mistakes()
    graph = draw(config, mistakes)
    check_sections("kpdds", config, graph.sections | OF_EVERY_RUN, ["corpus=jsonl"], mistakes)
    assert mistakes[0].startswith("corpus: the method kpdds does not use it")


@pytest.mark.slow
def test_killed_in_every_kind_of_asking_it_asks_nothing_twice_and_ends_with_the_same_data(made, tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    say, lives = generator._Teacher._text, [30, 90, 60, 100, 10_000]
    left = [0]

    def mortal(teacher, request):
        if not left[0]:
            raise KilledError
        left[0] -= 1
        return say(teacher, request)

    monkeypatch.setattr(generator._Teacher, "_text", mortal)
    ended = []
    for life in lives:
        left[0] = life
        try:
            again, _ = run(tmp_path, DATA)
        except KilledError:
            ended.append(
                sorted(path.name for path in (tmp_path / "store").iterdir() if any(path.glob("*/manifest.json")))
            )
    assert [len(stages) for stages in ended] == [1, 4, 5, 6]  # killed in key_points, questions, rating, answers
    calls = sum(artifact.manifest["metrics"].get("calls", 0) for artifact in made[0].values())
    assert sum(lives) - left[0] == calls
    for name in ("topics", "rating", "consensus"):
        for table in made[0][name].path.glob("*/*.parquet"):
            there = again[name].path / table.relative_to(made[0][name].path)
            assert there.read_bytes() == table.read_bytes()

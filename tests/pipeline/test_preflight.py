from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from src.config.build import build
from src.core import hub, machine
from src.core.errors import UserError
from src.core.fingerprint import not_in_key, pin
from src.core.stage import Stage
from src.core.store import Store
from src.corpus.huggingface import HuggingFaceReader
from src.corpus.jsonl import JsonlReader
from src.evaluation.benchmark import HubBenchmark
from src.generation.base import Sampling
from src.generation.procedural.generator import ProceduralGenerator
from src.modeling.recipe import Recipe
from src.modeling.sources import Pretrained, TinyLlama
from src.modeling.trainer import Trainer
from src.pipeline.graph import Node
from src.pipeline.launch import Local
from src.pipeline.preflight import missing
from src.prompts.sets import PromptSet
from src.stages.corpus import Corpus
from src.stages.dataset_sft import DatasetSFT
from src.stages.distil import Distil
from src.stages.generate import Generate
from src.stages.prompts import Prompts
from src.stages.synthesizer import Synthesizer
from tests.pipeline.composed import composed, nodes_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SAMPLING = {"cot": Sampling(), "tool": Sampling()}


@dataclass(frozen=True)
class Needy:
    what: str = "a card"

    def preflight(self):
        raise UserError(f"There is no {self.what}.", "Buy one.")


@dataclass(frozen=True)
class Toy(Stage):
    kind: ClassVar[str] = "toy"
    version: ClassVar[int] = 1
    parts: dict[str, Needy] = field(default_factory=dict)
    disk: float = 0.0

    def run(self, ctx):
        raise NotImplementedError

    def estimate(self):
        return {"disk_gb": self.disk}


def test_everything_is_told_at_once_and_once(tmp_path):
    first = Node("first", Toy({"x": Needy(), "y": Needy("ink")}))
    second = Node("second", Toy({"x": Needy()}, disk=1e9), {"first": first})
    told = missing([first, second], Store(tmp_path), Local())
    assert told[0] == "There is no a card.\nThere is no ink.\n  -> Buy one."
    assert len(told) == 2 and told[1].startswith("About 1,000,000,000 GB will")


@dataclass(frozen=True)
class Counting(Toy):
    """Says how often it was asked for its rows; `number` tells two apart."""

    number: int = 0
    asked: list[int] = field(default_factory=list, metadata=not_in_key("a count of this test's"))

    def rows_at_most(self, inputs):
        self.asked.append(self.number)
        return 1


def test_a_node_that_feeds_many_is_asked_for_its_rows_once(tmp_path):
    """Through each of its ways to the last node it would be a million times."""
    asked = []
    nodes = [Node("0", Counting(number=0, asked=asked))]
    for number in range(1, 21):
        feeds = {"left": nodes[-1], "right": nodes[-1]}
        nodes.append(Node(str(number), Counting(number=number, asked=asked), feeds))
    assert missing([*nodes, *nodes], Store(tmp_path), Local()) == []
    assert sorted(asked) == list(range(20))  # the last feeds none


def texts(tmp_path, lines):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "A triangle has three sides."}\n' * lines)
    return path


def graph(path, calls=5, form="brief", sequence_length=512):
    corpus = Node("corpus", Corpus(JsonlReader(str(path)), min_chars=5))
    prompts = Node("prompts", Prompts(PromptSet(form=form)), {"passages": corpus})
    distil = Node("distill_1", Distil(ProceduralGenerator(), calls, SAMPLING), {"prompts": prompts})
    taught = Synthesizer(TinyLlama(), Recipe(lr=1e-3, sequence_length=sequence_length), Trainer(device="cpu"))
    return [corpus, prompts, distil, Node("synthesizer_1", taught, {"prompts": prompts, "distilled_1": distil})]


def test_a_run_that_fits_misses_nothing(tmp_path):
    assert missing(graph(texts(tmp_path, 9)), Store(tmp_path), Local()) == []


def test_prompts_that_leave_no_room_are_told_before_the_teacher_is_paid(tmp_path):
    (told,) = missing(graph(texts(tmp_path, 9), form="full"), Store(tmp_path), Local())
    assert "no row would be left to train on" in told
    assert missing(graph(texts(tmp_path, 9), form="full", sequence_length=4096), Store(tmp_path), Local()) == []


def test_far_too_few_prompts_are_told(tmp_path):
    (told,) = missing(graph(texts(tmp_path, 9), calls=400), Store(tmp_path), Local())
    assert "asked for 400 prompts, and the corpus gives 10 at most" in told
    assert "`calls` of 40 at most would take all of them.\n  -> Give a larger corpus, or ask for less." in told


def test_more_prompts_a_passage_are_advised_where_they_suffice(tmp_path):
    (told,) = missing(graph(texts(tmp_path, 9), calls=80), Store(tmp_path), Local())
    assert "`calls` of 40 at most would take all of them, and prompts.per_passage=2 make enough.\n" in told


def test_a_corpus_that_is_too_small_is_one_message_for_all_stages(tmp_path):
    nodes = graph(texts(tmp_path, 9), calls=400)
    inputs = {"prompts": nodes[1], "exclude": nodes[2]}
    generator = ProceduralGenerator()
    candidates = Node("candidates", Generate(generator, SAMPLING, prompts=300), inputs)
    generated = Node("generate", Generate(generator, SAMPLING, prompts=500), {"prompts": nodes[1]})
    (told,) = missing([*nodes, candidates, generated], Store(tmp_path), Local())
    *problems, mend = told.splitlines()
    assert [problem.partition(" and the corpus gives 10 at most: ")[0] for problem in problems] == [
        "The teacher is to be asked for 400 prompts,",
        "The teacher is asked about 400 prompts before others are chosen,",
        "Texts are to be written for 500 prompts,",
    ]
    assert mend == "  -> Give a larger corpus, or ask for less."


def test_a_field_that_no_row_has_is_told_with_those_that_there_are(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"body": "x", "title": "y"}\n' * 9)
    told = missing(graph(path, calls=2), Store(tmp_path), Local())
    assert f"'{path}' has no field 'text'.\n  -> It has: body, title. Name them: corpus.text=NAME" in told


def test_parquet_given_as_json_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"PAR1 and so on")
    (told,) = missing(graph(path, calls=2), Store(tmp_path), Local())
    assert told == (
        f"'{path}' is a Parquet file.\n  -> corpus=parquet corpus.files={path}; "
        f"of src.stage: reader=parquet rows={path}"
    )


def test_a_missing_card(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "cuda_devices", lambda: 0)
    with pytest.raises(UserError, match="asks for 8 NVIDIA GPUs, and this machine has none") as several:
        Trainer(device="cuda", devices=8).preflight()
    assert "trainer=gpu, or a smaller scale such as scale=single_gpu" in several.value.mend
    with pytest.raises(UserError, match="choose trainer=cpu"):
        Trainer(device="cuda").preflight()
    Trainer().preflight()


def told_of_machines(tmp_path, *words):
    config = composed("+experiment=jiuzhang3_8x7b", *words)
    told = missing(list(nodes_of(config).values()), Store(tmp_path), build(config["compute"]))
    return [line for line in told if "trainer.nodes=2" in line]


@pytest.mark.parametrize(
    ("compute", "mend"),
    [("local", "Set compute=slurm inside an allocation"), ("ray", "set compute.across as compute=slurm has it")],
)
def test_machines_that_nothing_reaches_are_told_before_the_teacher_is_paid(tmp_path, compute, mend):
    (told,) = told_of_machines(tmp_path, f"compute={compute}")
    assert told.startswith("trainer.nodes=2, but compute.across does not say") and mend in told


@pytest.mark.parametrize("words", [["compute=slurm"], ["compute=local", "compute.across=[]"], ["trainer.nodes=1"]])
def test_machines_that_are_reached_or_not_asked_for_are_not_missing(tmp_path, words):
    assert told_of_machines(tmp_path, *words) == []


@pytest.mark.parametrize("kind", ["weights", "tokenizer"])
def test_a_model_folder_that_lacks_a_part(tmp_path, kind):
    for name in ("config.json", "pytorch_model.bin", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    assert set(Pretrained(str(tmp_path)).identity()) == {"config.json", "pytorch_model.bin", "tokenizer.json"}
    (tmp_path / {"weights": "pytorch_model.bin", "tokenizer": "tokenizer.json"}[kind]).unlink()
    with pytest.raises(UserError, match=f"its {kind} missing"):
        Pretrained(str(tmp_path)).identity()


@dataclass(frozen=True)
class Hub(Stage):
    kind: ClassVar[str] = "hub"
    version: ClassVar[int] = 1
    parts: dict[str, object] = field(default_factory=dict)

    def run(self, ctx):
        raise NotImplementedError


PARTS = {
    "model": Pretrained("owner/model"),
    "reader": HuggingFaceReader("owner/data", revision="v1"),
    "benchmark": HubBenchmark(repo="owner/exam", fields={"question": "q", "answer": "a"}),
    "sft": DatasetSFT("owner/rows", revision="main"),
}


def test_what_moves_on_the_hub_is_pinned_in_options_and_key(monkeypatch):
    commits = {"owner/model": COMMIT, "owner/data": COMMIT[::-1], "owner/exam": COMMIT, "owner/rows": COMMIT}
    for module in ("modeling.sources", "corpus.huggingface", "evaluation.benchmark", "stages.dataset_sft"):
        monkeypatch.setattr(f"src.{module}.commit", lambda repo, *asked, **told: commits[repo])
    before = Node("hub", Hub(PARTS))
    assert [part.revision for part in before.stage.parts.values()] == list(commits.values())
    for repo in commits:
        old, commits[repo] = commits[repo], "f" * 40
        assert Node("hub", Hub(PARTS)).key != before.key
        commits[repo] = old
    assert Node("hub", Hub(PARTS)).key == before.key and not before.absent


def test_where_nobody_knows_the_commit_planning_goes_on(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.commit.cache_clear()
    node = Node("hub", Hub(PARTS))
    assert len(node.absent) == len(PARTS) and node.stage == Hub(PARTS)
    assert "not in the local cache, and the hub cannot be reached" in str(node.absent[0])


def test_a_benchmark_without_the_hub_is_to_be_read_from_a_folder(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        UserError, match=r"\(sums\.jsonl\) is not in the local cache[^>]*-> .* add benchmark_dir=FOLDER"
    ):
        HubBenchmark(repo="nobody/sums", fields={"question": "q", "answer": "a"}, file="sums.jsonl").pinned()


def test_a_commit_needs_no_look(monkeypatch):
    monkeypatch.setattr(hub, "_ask_hub", lambda *words: pytest.fail("asked the hub"))
    assert hub.commit("owner/model", "model", COMMIT) == COMMIT
    assert pin(Pretrained("owner/model", revision=COMMIT), []) == Pretrained("owner/model", revision=COMMIT)


def test_the_local_cache_knows_a_branch(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--owner--kept/refs").mkdir(parents=True)
    (tmp_path / "models--owner--kept/refs/main").write_text(COMMIT)
    monkeypatch.setattr(hub, "_ask_hub", lambda *words: None)
    assert hub.commit("owner/kept", "model") == COMMIT

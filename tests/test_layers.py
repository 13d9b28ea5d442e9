"""The house stands on its foundations: imports point downwards, and planning loads no ML library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"

LAYERS = [
    {"core"},
    {"text", "config", "puzzles", "theorems"},
    {"corpus", "prompts", "keypoints"},
    {"generation", "modeling"},
    {"selection", "evaluation", "reporting", "embedding"},
    {"cleaning", "checking"},
    {"stages"},
    {"pipeline"},
    {"methods"},
    {"train", "stage", "evaluate", "report", "worker", "doctor", "trace", "store", "install"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
LAUNCHED_IN_PROCESS = {("pipeline.launch", "worker")}  # isolate=false runs it in this process
HEAVY = ("torch", "transformers", "vllm", "pytorch_lightning", "datasets", "peft")


def modules() -> list[Path]:
    return sorted(p for p in SRC.rglob("*.py") if p.name != "__init__.py" or p.stat().st_size)


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts)


def imported(path: Path) -> list[str]:
    """The `src` modules that a file imports, inside functions too, as dotted names without `src.`."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{a.name}" for a in node.names] if node.module == "src" else [node.module]
        elif isinstance(node, ast.Import):
            names += [a.name for a in node.names]
    return [n.removeprefix("src.") for n in names if n.startswith("src.")]


def test_every_module_has_a_layer():
    assert {dotted(p).split(".")[0] for p in modules()} <= LEVEL.keys()


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_point_downwards(path):
    home = dotted(path).split(".")[0]
    for name in imported(path):
        target = name.split(".")[0]
        if target != home and (dotted(path), target) not in LAUNCHED_IN_PROCESS:
            assert LEVEL[target] < LEVEL[home], f"{dotted(path)} imports {name}, which stands beside or above it"


def test_planning_loads_no_ml_library():
    code = (
        "import importlib, pkgutil, sys\n"
        "import src.pipeline.job, src.methods, src.stages\n"
        "for package in (src.methods, src.stages):\n"
        "    for m in pkgutil.iter_modules(package.__path__, package.__name__ + '.'): importlib.import_module(m.name)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SRC.parent)
    assert done.stdout.strip() == "[]"

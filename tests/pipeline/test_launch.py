"""What a stage's process is given, and what it is not."""

import os
import subprocess
import sys
from importlib.util import find_spec
from multiprocessing import forkserver
from pathlib import Path

import pytest

from src.config.build import build
from src.core.errors import UserError
from src.core.store import Store, write_json
from src.pipeline.graph import Node
from src.pipeline.launch import Local, RayCluster, spec_id
from src.pipeline.runner import preloads
from tests.pipeline.composed import composed, nodes_of
from tests.pipeline.nosy import Nosy
from tests.pipeline.test_runner import walk

SECRETS = {"OPENAI_API_KEY": "sk-very-secret", "OTHER_KEY": "sk-other-secret", "AWS_SECRET": "aws-secret"}


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_TOKEN", "for-gated-models")
    forkserver._forkserver._stop()  # one that an earlier test began knows another environment


def environment_of(outputs, compute, **options):
    made, _ = walk(outputs, [Node("nosy", Nosy(**options))], compute)
    return (made["nosy"].path / "environment").read_bytes().decode()


@pytest.mark.slow
@pytest.mark.parametrize("warm", [True, False])
def test_a_stage_gets_no_secret_but_the_one_it_names(tmp_path, secrets, warm):
    compute = Local(warm=warm)
    seen = environment_of(tmp_path / "none", compute, place=str(warm))
    assert not any(value in seen for value in SECRETS.values())
    assert "for-gated-models" in seen
    seen = environment_of(tmp_path / "one", compute, api_key_env="OPENAI_API_KEY", place=str(warm))
    assert "sk-very-secret" in seen
    assert "sk-other-secret" not in seen


PREPARES = """
import sys
from pathlib import Path
from src.pipeline import launch

if __name__ == "__main__":
    launch.Local().prepare(["imports_slowly"])
    Path("goes_on").touch()
    launch._server().Process(target=print, args=("forked",)).start()
"""
IMPORTS_SLOWLY = """
import time
from pathlib import Path

for _ in range(600):
    if Path("goes_on").exists():
        Path("was_seen").touch()
        break
    time.sleep(0.05)
"""


@pytest.mark.slow
def test_the_libraries_are_imported_while_the_run_goes_on(tmp_path):
    """A walk over what is there already says so at once, and light stages do not wait."""
    (tmp_path / "imports_slowly.py").write_text(IMPORTS_SLOWLY)
    (tmp_path / "prepares.py").write_text(PREPARES)
    paths = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])}
    done = subprocess.run([sys.executable, "prepares.py"], cwd=tmp_path, env=os.environ | paths, capture_output=True)
    assert (tmp_path / "was_seen").exists(), done.stderr.decode()


@pytest.mark.parametrize(
    ("engine", "session"), [("vllm", "generation.vllm_session"), ("transformers", "generation.transformers_session")]
)
def test_only_what_the_stages_use_is_imported_ahead(engine, session):
    nodes = nodes_of(composed(f"generator@synthesis={engine}"))
    modules = preloads([node.stage for node in nodes.values() if node.stage.heavy])
    assert modules == [f"src.{session}", "src.modeling.training"]
    assert all(find_spec(name) for name in modules), "a server passes over what it does not find"


def test_ray_holds_the_engines_that_hold_a_model(tmp_path, monkeypatch):
    specs = []
    monkeypatch.setattr(Local, "run", lambda self, spec, folder, heavy: specs.append(spec) or {})
    compute = RayCluster(workers=3)
    vllm, server = ({"_target_": f"src.generation.{name}"} for name in ("vllm.VLLMGenerator", "openai.OpenAIGenerator"))
    for stage in ({"engine": vllm}, {"engine": server}, {"recipe": {}}):
        compute.run({"kind": "x", "stage": stage}, tmp_path, heavy=True)
    pool = {"_target_": "src.generation.pool.Pool", "engine": vllm, "address": None, "workers": 3}
    assert specs[0]["stage"] == {"engine": {**pool, "gpus": None, "cpus": None}}
    assert [spec["stage"] for spec in specs[1:]] == [{"engine": server}, {"recipe": {}}]


def test_ray_that_is_not_installed_is_told_before_anything_runs(monkeypatch):
    monkeypatch.setattr("src.core.errors.find_spec", lambda name: None)
    for asked in (RayCluster().prepare, lambda: RayCluster().check(training(1, 1))):
        with pytest.raises(UserError, match="compute=ray needs the package 'ray'"):
            asked()


def test_a_worker_ends_though_its_launcher_died_before_it_could_look():
    launcher = subprocess.Popen(["true"])
    launcher.wait()
    begin = f"from src.core.processes import end_with_parent; end_with_parent({launcher.pid})"
    words = f"import time; {begin}; time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", words], timeout=30).returncode == 1


def training(nodes=1, devices=1):
    trainer = {"devices": devices, "nodes": nodes}
    return {"kind": "pretrain", "stage": {"recipe": {}, "trainer": trainer}, "inputs": {"corpus": "c"}}


def test_several_machines_are_started_by_one_command(tmp_path):
    compute = build(composed("compute=slurm", "compute.rendezvous=head:29500")["compute"])
    command = compute._command(training(2, 8), tmp_path / "spec.json")
    assert command[0] == "srun" and "--nodes=2" in command[: command.index(sys.executable)]
    assert "--overlap" in command, "inside a step of Slurm's the new one would wait for its end"
    assert command[-3:] == ["--processes=8", "--nodes=2", "--rendezvous=head:29500"]
    assert not any(word.startswith("--parent") for word in command), "on another machine that would be another process"
    assert compute._command(training(1, 8), tmp_path)[-1].startswith("--parent=")
    with pytest.raises(UserError, match="trains on 2 machines, and") as caught:
        Local(across=())._command(training(2, 8), tmp_path / "spec.json")
    assert "src.worker" in caught.value.mend and "--rendezvous=" in caught.value.mend


def test_what_a_worker_by_hand_has_made_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(Local, "_in_process", lambda *_: {"made": "now"})
    spec = training()
    by_hand = {"counts": {}, "spec": spec_id(spec)}
    write_json(tmp_path / "result.json", by_hand)
    assert Local().run(spec, tmp_path, heavy=True) == {"counts": {}}
    assert Local().run({**spec, "inputs": {"corpus": "d"}}, tmp_path, heavy=True) == {"made": "now"}, "other work"
    write_json(tmp_path / "result.json", {**by_hand, "problem": "no", "mend": "yes"})
    assert Local().run(spec, tmp_path, heavy=True) == {"made": "now"}, "it failed"


def test_what_a_worker_has_made_is_not_taken_over_once_another_has_begun_to_fill_its_folder(tmp_path):
    """Two runs with one key: a server's patience, say, is no part of it."""
    folder, patient = Store(tmp_path).partial("count", "k"), {"_target_": "tests.pipeline.toys.Count", "rows": 2}
    spec = {"kind": "count", "stage": patient, "inputs": {}, "folder": str(folder), "cache": str(tmp_path)}
    write_json(folder / "result.json", {"counts": {}, "spec": spec_id(spec)})  # its launcher was killed
    other = {**spec, "stage": {"_target_": "tests.pipeline.toys.Fail", "how": "bug"}}
    with pytest.raises(RuntimeError, match="a bug"):
        Local(isolate=False).run(other, folder, heavy=True)
    assert Local(isolate=False).run(spec, folder, heavy=True)["counts"]["kept"] == 2
    assert (folder / "out" / "passages").exists()

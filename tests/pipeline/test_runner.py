"""Nothing is computed twice, nothing half-done is read, and every way of failing has its message."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from src.core.errors import UserError
from src.core.records import Passage
from src.core.store import Store, worker_lock
from src.core.tracking import NoTracker
from src.pipeline.graph import Node
from src.pipeline.launch import Local
from src.pipeline.runner import Runner
from tests.pipeline.toys import Count, Fail
from tests.waiting import wait_for

pytestmark = pytest.mark.slow  # processes and servers of their own

ROOT = Path(__file__).parents[2]


FRESH = Local(warm=False)


def walk(outputs, nodes, compute=FRESH):
    visits = []
    tracker = NoTracker().start("s", "n", "i", {}, outputs)
    runner = Runner(
        Store(outputs / "store"), compute, tracker, outputs / "cache", "test", lambda _: None, visits.append
    )
    return runner.walk(nodes), visits


def chain(**options):
    first = Node("first", Count(rows=5, **options))
    return [first, Node("second", Count(rows=7, **options), {"passages": first})]


@pytest.mark.parametrize("compute", [FRESH, Local(isolate=False)])
def test_the_second_walk_reuses_everything(tmp_path, compute):
    made, visits = walk(tmp_path, chain(), compute)
    assert [v.reused for v in visits] == [False, False]
    assert made["second"].count("passages") == 7
    again, visits = walk(tmp_path, chain(), compute)
    assert [v.reused for v in visits] == [True, True]
    assert again == made


@pytest.mark.slow
def test_stages_fork_from_a_warm_server_and_fail_as_plainly(tmp_path):
    made, _ = walk(tmp_path, chain(), Local())
    assert made["second"].count("passages") == 7
    with pytest.raises(UserError, match="The soup is cold"):
        walk(tmp_path, [Node("bad", Fail(how="user"))], Local())
    with pytest.raises(UserError, match="SIGKILL"):
        walk(tmp_path, [Node("bad", Fail(how="kill"))], Local())


def test_a_changed_option_remakes_its_node_and_those_behind_it_only(tmp_path):
    walk(tmp_path, chain())
    first = Node("first", Count(rows=5))
    _, visits = walk(tmp_path, [first, Node("second", Count(rows=8), {"passages": first})])
    assert [v.reused for v in visits] == [True, False]


def test_the_manifest_tells_the_whole_story(tmp_path):
    made, _ = walk(tmp_path, chain())
    manifest = made["second"].manifest
    assert manifest["counts"] == {"in": 7, "kept": 7, "rejected": {}, "failed": {}}
    assert manifest["metrics"] == {"rows": 7}
    assert manifest["inputs"] == {"passages": made["first"].manifest["key"]}
    assert manifest["config"] == {"_target_": "tests.pipeline.toys.Count", "rows": 7, "pause": 0.0, "marks": ""}
    assert manifest["seconds"] > 0
    assert manifest["peak_memory_mb"] > 10 and manifest["gpus"] == 0
    assert manifest["git"].keys() == {"commit", "dirty"}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("user", "The soup is cold.\n  -> Warm it."),
        ("bug", "ended with exit code 1"),
        ("kill", "SIGKILL"),
        ("lose", "ended with exit code 1"),
    ],
)
def test_a_failure_is_told_and_leaves_the_store_sound(tmp_path, how, words, capfd):
    ok = Node("first", Count(rows=5))
    with pytest.raises(UserError) as error:
        walk(tmp_path, [ok, Node("bad", Fail(how=how), {"passages": ok})])
    assert words in str(error.value)
    if how == "lose":
        assert "2 rows entered the stage, 0 left it" in capfd.readouterr().err
    store = Store(tmp_path / "store")
    assert store.find("count", ok.key) is not None
    assert store.find("fail", Node("bad", Fail(how=how), {"passages": ok}).key) is None


SCRIPT = """
import sys
from pathlib import Path
from tests.pipeline.test_runner import chain, walk
walk(Path(sys.argv[1]), chain(pause=0.1, marks=sys.argv[2]))
"""


def rows_of(made):
    return {name: (artifact.path / "passages/00000.parquet").read_bytes() for name, artifact in made.items()}


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.9, 1.4, 2.0])
def test_killed_at_any_point_it_goes_on_and_ends_with_the_same_bytes(tmp_path, after):
    marks = tmp_path / "marks"
    marks.mkdir()
    undisturbed, _ = walk(tmp_path / "calm", chain(pause=0.1, marks=str(marks)))
    outputs = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(outputs), str(marks)], cwd=ROOT)
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    made, _ = walk(outputs, chain(pause=0.1, marks=str(marks)))
    assert rows_of(made) == rows_of(undisturbed)
    assert list(made["first"].table("passages", Passage)) == list(undisturbed["first"].table("passages", Passage))


class DiesBeforeItPublishes(Local):
    def run(self, spec, folder, heavy):
        super().run(spec, folder, heavy)
        raise ConnectionAbortedError


def test_what_a_worker_finished_is_taken_over_whole(tmp_path):
    """Its launcher died before it published: the rows stay, and nothing is computed again."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(ConnectionAbortedError):
        walk(tmp_path, chain(marks=str(marks)), DiesBeforeItPublishes(warm=False))
    made, _ = walk(tmp_path, chain(marks=str(marks)))
    assert made["first"].count("passages") == len(list(made["first"].table("passages", Passage))) == 5
    assert len(list(marks.iterdir())) == 2


def test_a_worker_that_waited_for_another_takes_over_what_that_one_finished(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(ConnectionAbortedError):
        walk(tmp_path, chain(marks=str(marks)), DiesBeforeItPublishes(warm=False))
    (spec,) = tmp_path.glob("store/count/*.partial/spec.json")
    result = spec.with_name("result.json")
    finished = result.read_text()
    result.unlink()
    with worker_lock(spec.parent):
        worker = subprocess.Popen([sys.executable, "-m", "src.worker", str(spec)], cwd=ROOT)
        time.sleep(2)
        assert worker.poll() is None
        result.write_text(finished)
    assert worker.wait() == 0
    assert (spec.parent / "out/passages/00000.parquet").exists()
    assert len(list(marks.iterdir())) == 1
    result.unlink()  # nobody finished it: made anew, in an empty folder
    (spec.parent / "out" / "stray").touch()
    assert subprocess.run([sys.executable, "-m", "src.worker", str(spec)], cwd=ROOT).returncode == 0
    assert not (spec.parent / "out" / "stray").exists()
    assert len(list(marks.iterdir())) == 2


@pytest.mark.slow
def test_parallel_jobs_share_a_stage(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "out"), str(marks)]
    jobs = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert len(list(marks.iterdir())) == 2


WITH_SIGNALS = """
import sys
from pathlib import Path
from src.core import stopping
from src.pipeline import launch
from tests.pipeline.test_runner import chain, walk
with stopping.command():
    walk(Path(sys.argv[1]), chain(pause=0.5, marks=sys.argv[2]), launch.Local(warm=sys.argv[3] == "warm"))
"""


@pytest.mark.parametrize("start", ["warm", "fresh"])
def test_ctrl_c_ends_a_run_with_one_line_and_leaves_no_process(tmp_path, start):
    marks = tmp_path / "marks"
    marks.mkdir()
    words = [sys.executable, "-c", WITH_SIGNALS, str(tmp_path / "out"), str(marks), start]
    process = subprocess.Popen(words, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(marks.iterdir()), 120)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.communicate(timeout=60)[1] == "Stopped by SIGINT; the same command goes on.\n"
    assert process.returncode == 128 + signal.SIGINT
    wait_for(lambda: not session(process.pid), 20)
    made, _ = walk(tmp_path / "out", chain(pause=0.5, marks=str(marks)), FRESH)
    assert made["second"].count("passages") == 7


def session(leader):
    """The processes that are left of a session."""
    return subprocess.run(["pgrep", "-s", str(leader)], capture_output=True, text=True).stdout.split()


@pytest.mark.slow
def test_a_fork_does_not_outlive_its_launcher(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    script = (
        SCRIPT.replace("pause=0.1", "pause=1")
        .replace("sys.argv[2])", "sys.argv[2]), Local()")
        .replace("import chain, walk", "import Local, chain, walk")
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "out"), str(marks)], cwd=ROOT, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(marks.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20  # the fork ends at once, its server when the last of its libraries is unloaded
    alive = ["?"]
    while alive and time.monotonic() < deadline:
        time.sleep(0.2)
        alive = subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, text=True).stdout.split()
    assert alive == []


@pytest.mark.slow
def test_a_worker_does_not_outlive_its_launcher(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    script = SCRIPT.replace("pause=0.1", "pause=3")
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out"), str(marks)], cwd=ROOT)
    deadline = time.monotonic() + 20
    while not list(marks.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    spec = next((tmp_path / "out").rglob("spec.json"))
    time.sleep(1)
    running = subprocess.run(["pgrep", "-f", str(spec)], capture_output=True, text=True).stdout.split()
    assert running == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_clear_message(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        ok = Node("first", Count(rows=5))
        with pytest.raises(UserError, match="No space left on the disk"):
            walk(disk, [ok, Node("bad", Fail(how="disk"), {"passages": ok})])
        assert walk(disk, [ok])[1][0].reused
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_spec_alone_runs_the_stage(tmp_path):
    with pytest.raises(UserError):
        walk(tmp_path, [Node("bad", Fail(how="user"))])
    spec = next(tmp_path.rglob("spec.json"))
    done = subprocess.run([sys.executable, "-m", "src.worker", str(spec)], cwd=ROOT)
    assert done.returncode == 1
    assert json.loads((spec.parent / "result.json").read_text())["problem"] == "The soup is cold."

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.core.errors import UserError
from src.evaluation import isolation as module
from src.evaluation.isolation import best_isolation, isolation_for, spare_user
from src.evaluation.program_pool import ProgramPool
from src.evaluation.sandbox import Execution, Sandbox
from src.evaluation.sandbox_worker import empty
from tests.evaluation.hostile import HOSTILE, world

NO_COMMANDS = "/nowhere"
WELL = Execution("ok", "well\n")
ENDS = {
    "endless loop": {"timeout"},
    "50 GB": {"memory"},
    "memory by parts": {"memory", "timeout"},
    "memory by children": {"memory", "timeout"},
    "endless output": {"output"},
    "deep recursion": {"error"},
    "fork bomb": {"error", "output", "killed", "timeout"},
    "kill itself": {"killed"},
    "connect": {"error"},
    "a big file": {"error", "killed", "memory"},
    "many files": {"ok"},
}


@pytest.fixture(scope="module")
def without_bubblewrap(tmp_path_factory):
    """A PATH on which `unshare` is the only command."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "unshare").symlink_to("/usr/bin/unshare")
    return str(folder)


@pytest.fixture(scope="module", params=["bubblewrap", pytest.param("namespaces", marks=pytest.mark.long)])
def sandbox(request, without_bubblewrap):
    """A sandbox in each isolation that this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "namespaces":
            patch.setenv("PATH", without_bubblewrap)
        if best_isolation(os.environ["PATH"]) != request.param:
            pytest.skip(f"{request.param} does not work on this machine")
        with Sandbox(seconds=1.0, memory_mb=512) as sandbox:
            yield sandbox


@pytest.fixture(scope="module")
def outside():
    with world() as outside:
        yield outside


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_reach_nothing_and_the_next_one_is_unharmed(sandbox, outside, name):
    execution = sandbox.run(outside.code(name))
    assert outside.harmed(execution) == []
    assert execution.status in ENDS.get(name, {execution.status})
    assert len(execution.output) <= 10_000
    assert sandbox.run("print('well')") == WELL


def test_harm_outside_would_be_seen(outside):
    """The trial itself can fail: the same deeds, done by this process, are found out."""
    assert outside.harmed(Execution("ok", "ESCAPED")) == ["ESCAPED"]
    assert outside.harmed(Execution("ok", os.environ["HOSTILE_SECRET"]))
    before = outside.file.read_text()
    outside.file.write_text("gone")
    try:
        assert outside.harmed(WELL) == ["the file was changed"]
    finally:
        outside.file.write_text(before)


@pytest.mark.slow
def test_what_is_printed_comes_back(sandbox):
    assert sandbox.run("print(2 + 2)") == Execution("ok", "4\n")
    assert sandbox.run("import sympy; print(sympy.integrate('x**2'))") == Execution("ok", "x**3/3\n")
    failed = sandbox.run("print('before'); 1 / 0")
    assert failed.status == "error"
    assert failed.output.startswith("before\n") and "ZeroDivisionError" in failed.output


@pytest.mark.slow
def test_leftover_children_are_gone(sandbox):
    left = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.close(1); os.close(2)\n    time.sleep(60)\n"
    assert sandbox.run(left).status == "ok"
    assert int(sandbox.run("import os; print(len([p for p in os.listdir('/proc') if p.isdigit()]))").output) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "leave",
    [
        "open('left', 'w').write('x')",
        "import os; os.makedirs('a/b/c'); open('a/b/x', 'w'); os.symlink('/usr', 'link')",
        "import os; os.makedirs('a/b'); os.chmod('a/b', 0); os.chmod('a', 0o500)",
        "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')",
        "import os\nfor n in (b'\\xff\\xfe', b'-rf', b' ', b'a' * 255): os.mkdir(n); open(n + b'/x', 'w')",
    ],
    ids=["file", "tree", "locked", "deep", "names"],
)
def test_every_program_begins_in_an_empty_folder(sandbox, leave):
    assert sandbox.run(leave) == Execution("ok", "")
    assert sandbox.run("import os; print(os.listdir(), os.path.exists('/usr/lib'))") == Execution("ok", "[] True\n")


@pytest.mark.slow
def test_memory_counts_for_all_processes_together(sandbox):
    """None of the four holds as much as one may."""
    code = "import os, time\nfor _ in range(4):\n  if os.fork() == 0:\n    x = b'x' * (200 << 20)\n    time.sleep(30)\n"
    with Sandbox(seconds=20.0, memory_mb=512) as patient:
        assert patient.run(f"{code}for _ in range(4): os.wait()").status == "memory"


@pytest.mark.slow
def test_a_program_prints_the_same_each_time(sandbox):
    code = (
        "import random, numpy\nprint(random.random(), numpy.random.rand(), {'a', 'b', 'c', 'd', 'e'}, hash('text'))\n"
    )
    with Sandbox() as another:
        assert sandbox.run(code) == sandbox.run(code) == another.run(code)


@pytest.mark.slow
def test_what_ran_before_is_known_and_silent(sandbox):
    before = ["x = 5\nprint('unheard')", "raise SystemExit", "def f(n): return n * x"]
    assert sandbox.run("print(f(2))", before) == Execution("ok", "10\n")


@pytest.mark.slow
def test_a_worker_that_was_killed_while_idle_costs_no_program(isolation):
    with Sandbox() as sandbox:
        assert sandbox.run("print('well')") == WELL
        process = sandbox._worker._process
        process.kill()
        process.wait()
        assert sandbox.run("print('well')") == WELL


@pytest.mark.slow
def test_programs_share_nothing(sandbox):
    sandbox.run("import math; math.pi = 3; x = 5")
    assert sandbox.run("import math; print(math.pi > 3.1, 'x' in globals())") == Execution("ok", "True False\n")


@pytest.mark.slow
def test_each_of_eight_sandboxes_may_have_all_its_processes(sandbox):
    code = (
        "import os, time\nfor _ in range(10):\n  if os.fork() == 0: time.sleep(1.5); os._exit(0)\n"
        "for _ in range(10): os.wait()\nprint('ten')"
    )
    with ProgramPool(workers=8, seconds=60.0) as pool:
        ends = [pool.start(code) for _ in range(8)]
        assert {end.result() for end in ends} == {Execution("ok", "ten\n")}


def test_without_isolation_no_program_runs(monkeypatch):
    monkeypatch.setenv("PATH", NO_COMMANDS)
    with pytest.raises(UserError, match="apt-get install bubblewrap") as told:
        Sandbox()
    assert "programs=unisolated" in told.value.mend
    with ProgramPool() as pool, pytest.raises(UserError):
        pool.start("print(1)")


def test_the_best_isolation_is_taken(monkeypatch, without_bubblewrap):
    monkeypatch.setattr(module, "_works", lambda command: True)
    best_isolation.cache_clear()
    try:
        assert best_isolation(NO_COMMANDS) is None
        assert best_isolation(without_bubblewrap) == "namespaces"
        monkeypatch.setattr(module, "_works", lambda command: False)
        best_isolation.cache_clear()
        assert best_isolation(without_bubblewrap) is None
    finally:
        best_isolation.cache_clear()


def test_unisolated_is_what_was_asked_for():
    assert isolation_for("unisolated") == "none"


def test_sandboxes_side_by_side_have_users_of_their_own():
    users = {spare_user(number) for number in range(64)}
    assert len(users) == 64 and min(users) >= 61_184 and max(users) < 65_534


@pytest.mark.slow
def test_limits_alone_where_the_user_chose_so():
    try:
        plain = Sandbox(seconds=1.0, programs="unisolated")
    except UserError as error:  # root, and an environment that no other user can read
        pytest.skip(str(error))
    with plain:
        assert plain.isolation == "none"
        assert plain.run("print(1)") == Execution("ok", "1\n")
        assert plain.run("while True: pass").status == "timeout"
        assert "SECRET" not in plain.run("import os; print(dict(os.environ))").output
        where = plain.run("import os; print(os.getcwd()); os.makedirs('a/b'); os.chmod('a', 0)").output.strip()
        assert Path(where) != Path.cwd()
        assert plain.run("import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')").status == "ok"
        assert plain.run("import os; print(os.listdir())") == Execution("ok", "[]\n")
    assert not Path(where).exists() and not Path(where).parent.exists()


NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))
TREES = st.recursive(st.sampled_from([b"", b"text", None]), lambda inner: st.dictionaries(NAMES, inner, max_size=4))


def grow(folder: bytes, tree, mode: int) -> None:
    """Files (bytes), links out (None) and folders (dictionaries), each folder locked when it is full."""
    for name, node in tree.items():
        path = folder + b"/" + name
        if node is None:
            os.symlink(b"/usr", path)  # noqa: PTH211  names of bytes
        elif isinstance(node, bytes):
            Path(os.fsdecode(path)).write_bytes(node)
        else:
            os.mkdir(path)  # noqa: PTH102
            grow(path, node, mode)
            os.chmod(path, mode)  # noqa: PTH101


@settings(max_examples=30, deadline=None)
@given(tree=st.dictionaries(NAMES, TREES, max_size=4), mode=st.sampled_from([0, 0o500, 0o700]))
def test_any_tree_is_removed(tmp_path_factory, tree, mode):
    folder = tmp_path_factory.mktemp("tree")
    grow(os.fsencode(folder), tree, mode)
    assert empty(folder)
    assert list(folder.iterdir()) == [] and Path("/usr/lib").is_dir()


def test_a_tree_deeper_than_any_path_is_removed(tmp_path):
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(1100):  # past the recursion limit, and a path of 55,000 characters
            os.mkdir("d" * 50)  # noqa: PTH102
            os.chdir("d" * 50)
        Path("file").write_text("x")
    finally:
        os.fchdir(here)
        os.close(here)
    assert empty(tmp_path) and list(tmp_path.iterdir()) == []


def test_a_folder_of_many_files_is_removed(tmp_path):
    for number in range(3_000):
        (tmp_path / str(number)).touch()
    assert empty(tmp_path) and list(tmp_path.iterdir()) == []

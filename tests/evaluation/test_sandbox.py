import os
import time
from pathlib import Path

import pytest

from src.evaluation import sandbox as module
from src.evaluation.sandbox import Execution, Sandbox, has_bubblewrap

pytestmark = pytest.mark.slow

ATTACKS = {
    "endless loop": ("while True: pass", {"timeout"}),
    "sleep": ("import time; time.sleep(60)", {"timeout"}),
    "50 GB": ("x = bytearray(50 << 30)", {"memory"}),
    "memory by parts": ("x = []\nwhile True: x.append('a' * (1 << 20))", {"memory"}),
    "memory by children": (
        "import os\nfor _ in range(8):\n  if os.fork() == 0:\n    x = bytearray(1 << 30)\n    os._exit(0)\n"
        "for _ in range(8): print(os.wait()[1] >> 8)",
        {"ok"},
    ),
    "endless output": ("while True: print('x' * 1000)", {"output"}),
    "exit": ("import os; os._exit(3)", {"error"}),
    "deep recursion": ("def f(): f()\nf()", {"error"}),
    "C recursion": ("x = []\nfor _ in range(10**6): x = [x]\nrepr(x)", {"error", "killed"}),
    "kill itself": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", {"killed"}),
    "syntax": ("print(", {"error"}),
    "big file": ("open('/tmp/big', 'wb').write(b'x' * (1 << 30))", {"error", "killed", "memory"}),
    "ignored signals": (
        "import signal, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(60)",
        {"timeout"},
    ),
}
WALLED = {
    "signal to the parent": ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", {"killed", "error", "ok"}),
    "signal to all": ("import os, signal; os.kill(-1, signal.SIGKILL)", {"killed", "ok"}),
    "forks": (
        "import os, time\nn = 0\ntry:\n  while n < 100:\n    if os.fork() == 0: time.sleep(30); os._exit(0)\n"
        "    n += 1\nexcept OSError: print('refused after', n < 20)",
        {"ok", "timeout"},
    ),
    "fork bomb": ("import os\nwhile True: os.fork()", {"error", "output", "killed", "timeout"}),
    "many files": (
        "n = 0\ntry:\n  while n < 5000:\n    open(f'/tmp/{n}', 'wb').write(b'x' * (1 << 16))\n    n += 1\n"
        "except OSError: print('full after', n <= 1024)",
        {"ok"},
    ),
    "shared memory": ("open('/dev/shm/x', 'w')", {"error"}),
    "listen": ("import socket\ns = socket.socket(); s.connect(('127.0.0.1', 22))", {"error"}),
    "signal to the reaper": ("import os, signal; os.kill(1, signal.SIGKILL)", {"error", "ok"}),
    "trace the parent": (
        "import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0",
        {"error"},
    ),
    "other users' processes": (
        "import os\nfor p in os.listdir('/proc'):\n  if p.isdigit() and p != str(os.getpid()):\n"
        "    print(open(f'/proc/{p}/environ').read())",
        {"error"},
    ),
    "socket": ("import socket; socket.create_connection(('1.1.1.1', 53), 2)", {"error"}),
    "read the environment": ("import os; assert 'SECRET_TOKEN' in os.environ", {"error"}),
    "read other processes": ("import os; assert len([p for p in os.listdir('/proc') if p.isdigit()]) > 6", {"error"}),
    "delete files": (f"import os; os.remove({module.__file__!r})", {"error"}),
    "look at the project": (f"print(open({str(Path('pyproject.toml').resolve())!r}).read())", {"error"}),
    "forge the answer": ("import os\nopen(f'/proc/{os.getppid()}/fd/3', 'w').write('{}')", {"error"}),
}


@pytest.fixture(scope="module")
def sandbox():
    os.environ["SECRET_TOKEN"] = "not to be seen"
    with Sandbox(seconds=2.0, memory_mb=512) as sandbox:
        yield sandbox
    del os.environ["SECRET_TOKEN"]


def test_what_is_printed_comes_back(sandbox):
    assert sandbox.run("print(2 + 2)") == Execution("ok", "4\n")
    assert sandbox.run("import sympy; print(sympy.integrate('x**2'))") == Execution("ok", "x**3/3\n")
    failed = sandbox.run("print('before'); 1 / 0")
    assert failed.status == "error"
    assert failed.output.startswith("before\n") and "ZeroDivisionError" in failed.output


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ATTACKS, *WALLED])
def test_attacks_are_contained_and_the_next_snippet_is_unharmed(sandbox, name):
    if name in WALLED and sandbox.isolation != "bubblewrap":
        pytest.skip("bubblewrap is not installed: only limits are in force")
    code, expected = {**ATTACKS, **WALLED}[name]
    start = time.monotonic()
    execution = sandbox.run(code)
    assert execution.status in expected, execution
    assert time.monotonic() - start < 15
    assert len(execution.output) <= 10_000
    assert sandbox.run("print('well')") == Execution("ok", "well\n")


def test_leftover_children_are_gone(sandbox):
    left = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.close(1); os.close(2)\n    time.sleep(60)\n"
    assert sandbox.run(left).status == "ok"
    if sandbox.isolation == "bubblewrap":
        count = "import os; print(len([p for p in os.listdir('/proc') if p.isdigit()]))"
        assert int(sandbox.run(count).output) <= 4


@pytest.mark.parametrize(
    "leave",
    [
        "open('left', 'w').write('x')",
        "import os; os.makedirs('a/b/c'); open('a/b/x', 'w'); os.symlink('/usr', 'link')",
        "import os; os.makedirs('a/b'); os.chmod('a/b', 0); os.chmod('a', 0o500)",
        "import os\nfor _ in range(2000): os.mkdir('d'); os.chdir('d')",
    ],
    ids=["file", "tree", "locked", "deep"],
)
def test_every_snippet_begins_in_an_empty_folder(sandbox, leave):
    assert sandbox.run(leave).status == "ok"
    assert sandbox.run("import os; print(os.listdir(), os.path.exists('/usr/lib'))") == Execution("ok", "[] True\n")


def test_a_snippet_prints_the_same_each_time(sandbox):
    code = (
        "import random, numpy\nprint(random.random(), numpy.random.rand(), {'a', 'b', 'c', 'd', 'e'}, hash('text'))\n"
    )
    with Sandbox() as another:
        assert sandbox.run(code) == sandbox.run(code) == another.run(code)


def test_what_ran_before_is_known_and_silent(sandbox):
    before = ["x = 5\nprint('unheard')", "raise SystemExit", "def f(n): return n * x"]
    assert sandbox.run("print(f(2))", before) == Execution("ok", "10\n")


def test_snippets_share_nothing(sandbox):
    sandbox.run("import math; math.pi = 3; x = 5")
    assert sandbox.run("import math; print(math.pi > 3.1, 'x' in globals())") == Execution("ok", "True False\n")


def test_limits_alone_where_there_is_no_bubblewrap(monkeypatch):
    monkeypatch.setattr(module, "has_bubblewrap", lambda: False)
    with Sandbox(seconds=1.0) as plain:
        assert plain.isolation == "limits"
        assert plain.run("print(1)") == Execution("ok", "1\n")
        assert plain.run("while True: pass").status == "timeout"
        assert "SECRET" not in plain.run("import os; print(dict(os.environ))").output
        where = plain.run("import os; print(os.getcwd()); open('left', 'w')").output.strip()
        assert Path(where) != Path.cwd()
        assert plain.run("import os; print(os.listdir())") == Execution("ok", "[]\n")
    assert not Path(where).exists()


def test_whether_bubblewrap_works_is_known():
    assert isinstance(has_bubblewrap(), bool)

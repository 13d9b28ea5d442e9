"""The sandbox's inside: a template that has loaded NumPy and SymPy and forks one child a snippet.

Run as a script by `src.evaluation.sandbox`; imports nothing of this project, for nothing of it lies in the sandbox.
Reads a request a line, {"code", "before", "seconds", "memory", "output", "processes"}; answers {"status",
"output", "spoiled"}: no other snippet may run here when that is true.
"""

import contextlib
import ctypes
import io
import json
import os
import random
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36
MEMORY_EXIT = 97
# Run once in the template. SymPy fills caches and imports parts of itself at first use: 40 ms that no child need pay.
WARM_UP = """
from sympy import *
x, y = symbols("x y")
solve(x**2 - 5 * x + 6, x), solve([x + y - 3, x - y - 1], [x, y]), diff(x**3 * sin(x), x).subs(x, pi).evalf()
integrate(x * exp(x), x), simplify((x**2 - 1) / (x - 1)), factor(x**2 - 1), expand((x + 1)**3), limit(sin(x) / x, x, 0)
latex(sqrt(8) + Rational(1, 3)), Matrix([[1, 2], [3, 4]]).inv(), factorint(360), isprime(97), binomial(10, 3)
summation(x, (x, 1, 10)), nsimplify(0.5), Eq(x, 2), solveset(x**2 - 4, x), gcd(12, 18), str(x**2 + y)
"""


def serve(own_process_space: bool) -> None:
    """Answer requests until the caller closes the pipe. Each snippet starts in an empty folder."""
    folder = Path.cwd()
    for line in iter(sys.stdin.buffer.readline, b""):
        status, output = execute(json.loads(line), own_process_space)
        answer = {"status": status, "output": output, "spoiled": not clear(folder)}
        os.write(3, (json.dumps(answer) + "\n").encode())


def execute(request: dict, own_process_space: bool) -> tuple[str, str]:
    """Fork a child for one snippet, read what it prints, and leave no process behind."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        run_snippet(request, writer)
    os.close(writer)
    output, verdict = read_output(reader, request["output"], time.monotonic() + request["seconds"])
    if verdict:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    sweep(child, own_process_space)
    os.close(reader)
    return verdict or status_of(ended), output.decode("utf-8", "replace")


def read_output(reader: int, limit: int, deadline: float) -> tuple[bytes, str]:
    """What was printed, and "timeout" or "output" if a limit ended it."""
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                break
            piece = os.read(reader, 65_536)
            if not piece:
                return output, ""
            output += piece
            if len(output) > limit:
                return output[:limit], "output"
    return output, "timeout"


def status_of(ended: int) -> str:
    if os.WIFSIGNALED(ended):
        return "timeout" if os.WTERMSIG(ended) == signal.SIGXCPU else "killed"
    return {0: "ok", MEMORY_EXIT: "memory"}.get(os.WEXITSTATUS(ended), "error")


def sweep(child: int, own_process_space: bool) -> None:
    """Kill what the snippet left running: everything in our process space, or else its session and our orphans."""
    for _ in range(100):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL) if own_process_space else os.killpg(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if not own_process_space:
            kill_children()
        time.sleep(0.005)


def kill_children() -> None:
    """As the reaper of orphans we are the parent of whatever left its session."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
        for pid in file.read().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def clear(folder: Path) -> bool:
    """Remove what a snippet left. False where that fails: it locked a folder, or dug thousands of them deep."""
    for path in folder.iterdir():
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except (OSError, RecursionError):
            return False
    return True


def run_snippet(request: dict, writer: int) -> None:
    """The child: limits first, then the code; never returns."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.closerange(3, 256)
    limit(resource.RLIMIT_AS, request["memory"])
    limit(resource.RLIMIT_CPU, int(request["seconds"]) + 1)
    limit(resource.RLIMIT_FSIZE, 10 << 20)
    limit(resource.RLIMIT_NPROC, request["processes"])
    limit(resource.RLIMIT_CORE, 0)
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    names: dict = {"__name__": "__main__"}
    code = 0
    try:
        for earlier in request["before"]:
            run_silently(earlier, names)
        exec(compile(request["code"], "<snippet>", "exec"), names)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except MemoryError:
        code = MEMORY_EXIT
    except BaseException as error:
        sys.stdout.flush()
        below_us = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(error.with_traceback(below_us), limit=-3)
        code = 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)


def run_silently(code: str, names: dict) -> None:
    """What ran before, once more, for its names; it said and suffered then what it would say and suffer now."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception, SystemExit):
        exec(compile(code, "<snippet>", "exec"), names)


def limit(what: int, amount: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # a stricter limit is set already
        resource.setrlimit(what, (amount, amount))


def main(isolation: str, user: str, folder: str) -> None:
    os.chdir(folder if isolation == "bubblewrap" else tempfile.mkdtemp(dir=folder))
    for name in ("math", "fractions", "itertools", "collections", "numpy.random", "numpy.linalg", "sympy"):
        with contextlib.suppress(ImportError):
            __import__(name)
    run_silently(WARM_UP, {})
    if user:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_DUMPABLE, 0)  # a snippet can neither trace us nor open our pipes through /proc
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.dup2(1, 3)
    os.write(3, b"ready\n")
    serve(isolation == "bubblewrap")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The sandbox's inside: a template that has loaded NumPy and SymPy and forks one child a program.

Run as a script by `src.evaluation.sandbox`; imports nothing of this project, for nothing of it lies in the sandbox.
Reads a request a line, {"code", "before", "seconds", "memory", "output", "processes"}; answers {"status",
"output", "fresh"}: no other program may run here when `fresh` is false.
"""

import contextlib
import ctypes
import io
import json
import os
import random
import resource
import selectors
import signal
import stat
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Iterator
from pathlib import Path

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 36, 38
MEMORY_EXIT = 97
FILE_BYTES, FILES = 10 << 20, 64  # of each process; what is open and not mapped counts in no memory limit
LOOK_SECONDS = 0.02  # from one look at the memory to the next: what two cores can fill meanwhile is some 100 MB
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
    """Answer requests until the caller closes the pipe. Each program starts in an empty folder."""
    folder = Path.cwd()
    for line in iter(sys.stdin.buffer.readline, b""):
        status, output = execute(json.loads(line), own_process_space)
        answer = {"status": status, "output": output, "fresh": empty(folder)}
        os.write(3, (json.dumps(answer) + "\n").encode())


def execute(request: dict, own_process_space: bool) -> tuple[str, str]:
    """Fork a child for one program, read what it prints, and leave no process behind."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        run_program(request, writer)
    os.close(writer)
    output, verdict = read_output(reader, request)
    if verdict:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    ended = os.waitpid(child, 0)[1]
    sweep(child, own_process_space)
    os.close(reader)
    return verdict or status_of(ended), output.decode("utf-8", "replace")


def read_output(reader: int, request: dict) -> tuple[bytes, str]:
    """What was printed, and "timeout", "output" or "memory" if a limit ended it."""
    output, deadline, shared = b"", time.monotonic() + request["seconds"], resident_bytes(os.getpid())
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if memory_used(shared) > request["memory"]:
                return output, "memory"
            if not selector.select(min(left, LOOK_SECONDS)):
                continue
            piece = os.read(reader, 65_536)
            if not piece:
                return output, ""
            output += piece
            if len(output) > request["output"]:
                return output[: request["output"]], "output"
    return output, "timeout"


def memory_used(shared: int) -> int:
    """Bytes that the program's processes hold together, without what each shares with the template."""
    return sum(max(0, resident_bytes(pid) - shared) for pid in descendants(os.getpid()))


def resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):  # it has ended meanwhile
        return 0


def descendants(pid: int) -> Iterator[int]:
    """Every process below this one. Orphans are among them: the template is the reaper of its own."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in (thread / "children").read_text(encoding="ascii").split():
                yield int(child)
                with contextlib.suppress(OSError):
                    yield from descendants(int(child))


def status_of(ended: int) -> str:
    if os.WIFSIGNALED(ended):
        return "timeout" if os.WTERMSIG(ended) == signal.SIGXCPU else "killed"
    return {0: "ok", MEMORY_EXIT: "memory"}.get(os.WEXITSTATUS(ended), "error")


def sweep(child: int, own_process_space: bool) -> None:
    """Kill what the program left running: everything in our process space, or else its session and our orphans."""
    for _ in range(100):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL) if own_process_space else os.killpg(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if not own_process_space:
            for pid in list(descendants(os.getpid())):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def empty(folder: Path) -> bool:
    """Remove all that lies in a folder, whatever it is called, however deep and locked it is; False where that fails.

    Never goes deeper than two levels: folders further down are moved to the top first. So neither the recursion limit
    nor the longest path nor the number of open files is a limit, and names stay bytes.
    """
    top = os.fsencode(folder)
    with contextlib.suppress(OSError):
        os.chmod(top, stat.S_IRWXU)  # noqa: PTH101  a path of bytes
    try:
        while remove_entries(top):
            pass
    except OSError:
        return False
    return True


def remove_entries(top: bytes) -> bool:
    """Remove what a look into the folder finds; whether there was anything."""
    found = False
    with os.scandir(top) as entries:
        for entry in entries:
            found = True
            if entry.is_dir(follow_symlinks=False):
                remove_folder(entry.path, top)
            else:
                os.unlink(entry.path)  # noqa: PTH108
    return found


def remove_folder(folder: bytes, top: bytes) -> None:
    """Remove a folder of `top`; the folders in it become folders of `top`."""
    os.chmod(folder, stat.S_IRWXU)  # noqa: PTH101
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, stat.S_IRWXU)  # noqa: PTH101  a folder that moves is written to
                os.rename(entry.path, os.path.join(top, uuid.uuid4().hex.encode()))  # noqa: PTH104, PTH118
            else:
                os.unlink(entry.path)  # noqa: PTH108
    os.rmdir(folder)  # noqa: PTH106


def run_program(request: dict, writer: int) -> None:
    """The child: limits first, then the code; never returns."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.closerange(3, 256)
    limit(resource.RLIMIT_AS, request["memory"])
    limit(resource.RLIMIT_CPU, int(request["seconds"]) + 1)
    limit(resource.RLIMIT_FSIZE, FILE_BYTES)
    limit(resource.RLIMIT_NOFILE, FILES)
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


def process_space() -> str:
    """What tells this namespace of processes from others."""
    return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116


def main(outer_process_space: str, user: str, folder: str) -> None:
    own_process_space = process_space() != outer_process_space
    os.chdir(folder if own_process_space else tempfile.mkdtemp(dir=folder))
    for name in ("math", "fractions", "itertools", "collections", "numpy.random", "numpy.linalg", "sympy"):
        with contextlib.suppress(ImportError):
            __import__(name)
    run_silently(WARM_UP, {})
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # no program that it starts gains rights
    if user:
        if not own_process_space:
            os.chown(".", int(user), int(user))
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # a program can neither trace us nor open our pipes through /proc
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.dup2(1, 3)
    os.write(3, b"ready\n")
    serve(own_process_space)


if __name__ == "__main__":
    main(*sys.argv[1:])

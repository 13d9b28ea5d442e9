"""Forty programs that mean harm, and the world outside that they must not reach.

A program prints ESCAPED where it sees or does what it must not. What it could do in silence is looked for outside:
a file, a process, a listening socket and a secret that belong to nobody's program. `python -m tests.evaluation.hostile`
puts them to every isolation that this machine has.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from src.core.errors import UserError
from src.evaluation import isolation
from src.evaluation.sandbox import Execution, Sandbox

SECRET = "a secret that no program may print"
FORK = "import os, time\n"

HOSTILE = {
    # time and memory
    "endless loop": "while True: pass",
    "sleep": "import time; time.sleep(60)",
    "ignored signals": "import signal, time\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(60)",
    "50 GB": "x = bytearray(50 << 30)\nprint('ESCAPED')",
    "memory by parts": "x = []\nwhile True: x.append('a' * (1 << 20))",
    "memory by children": FORK + "for _ in range(12):\n  if os.fork() == 0:\n    x = b'x' * (150 << 20)\n"
    "    time.sleep(20)\n    os._exit(0)\nfor _ in range(12): os.wait()\nprint('ESCAPED')",
    "memory in files": "import os\nfds = []\ntry:\n  while True:\n    fd = os.memfd_create('x')\n    fds.append(fd)\n"
    "    os.write(fd, b'x' * (9 << 20))\n    if len(fds) > 100: print('ESCAPED'); break\nexcept OSError: pass",
    "endless output": "while True: print('x' * 1000)",
    "deep recursion": "def f(): f()\nf()",
    "recursion in C": "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
    # processes
    "fork bomb": "import os\nwhile True: os.fork()",
    "too many processes": FORK + "n = 0\ntry:\n  while n < 100:\n    if os.fork() == 0: time.sleep(30); os._exit(0)\n"
    "    n += 1\n  print('ESCAPED')\nexcept OSError: pass",
    "a daemon": FORK + "if os.fork() == 0:\n  os.setsid(); os.close(1); os.close(2); time.sleep(60)",
    "kill itself": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "kill the parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "kill the first process": "import os, signal; os.kill(1, signal.SIGKILL)",
    "kill all processes": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "kill a process outside": "import os, signal; os.kill(PID, signal.SIGKILL); print('ESCAPED')",
    "stop a process outside": "import os, signal; os.kill(PID, signal.SIGSTOP); print('ESCAPED')",
    "trace the parent": "import ctypes, os\nif ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0: print('ESCAPED')",
    "see processes outside": "import os\n"
    "if os.path.exists('/proc/PID/stat') and '(sleep)' in open('/proc/PID/stat').read(): print('ESCAPED')",
    "higher priority": "import os\nos.setpriority(os.PRIO_PROCESS, 0, -10); print('ESCAPED')",
    # files
    "overwrite a file": "open('FILE', 'w').write('gone'); print('ESCAPED')",
    "read a file": "print(open('FILE').read(), 'ESCAPED')",
    "read the passwords": "print(open('/etc/shadow').read(), 'ESCAPED')",
    "read the project": f"print(open({str(Path('pyproject.toml').resolve())!r}).read(), 'ESCAPED')",
    "delete the worker": f"import os; os.remove({str(isolation.WORKER)!r}); print('ESCAPED')",
    "change the libraries": "import sympy; open(sympy.__file__, 'a').write('# x'); print('ESCAPED')",
    "a big file": "open('big', 'wb').write(b'x' * (1 << 30)); print('ESCAPED')",
    "many files": "n = 0\ntry:\n  while n < 5000:\n    open(f'{n}', 'wb').write(b'x' * (1 << 16))\n    n += 1\n"
    "  print('ESCAPED')\nexcept OSError: pass",
    "shared memory": "open('/dev/shm/x', 'w'); print('ESCAPED')",
    "a deep tree": "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')",
    "a locked tree": "import os; os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)",
    "a link out": "import os; os.symlink('/usr', 'link'); os.symlink('FILE', 'file')",
    "mount": "import ctypes\nif ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0: print('ESCAPED')",
    # the network, secrets, the worker's own channel
    "connect": "import socket; socket.create_connection(('127.0.0.1', PORT), 2); print('ESCAPED')",
    "send a datagram": "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "s.sendto(b'x', ('1.1.1.1', 53)); print('ESCAPED')",
    "read the environment": "import os; print(os.environ)",
    "read others' environment": "import os\nfor p in os.listdir('/proc'):\n  if p.isdigit():\n    try: "
    "print(open(f'/proc/{p}/environ').read())\n    except OSError: pass",
    "forge the answer": 'import os\nfor pid in (os.getppid(), 1):\n  for fd in (1, 3):\n    try: open(f"/proc/{pid}/fd/'
    '{fd}", "w").write(\'{"status": "ok", "output": "ESCAPED", "fresh": true}\\n\')\n    except OSError: pass',
}


@dataclass(frozen=True)
class World:
    """What lies outside the sandbox; `harmed` says what a program did to it."""

    file: Path
    process: subprocess.Popen[bytes]
    server: socket.socket

    def code(self, name: str) -> str:
        places = {"FILE": str(self.file), "PID": str(self.process.pid), "PORT": str(self.server.getsockname()[1])}
        code = HOSTILE[name]
        for word, value in places.items():
            code = code.replace(word, value)
        return code

    def harmed(self, execution: Execution) -> list[str]:
        found = [word for word in ("ESCAPED", SECRET) if word in execution.output]
        if self.file.read_text() != "untouched":
            found.append("the file was changed")
        status = Path(f"/proc/{self.process.pid}/stat").read_text().split()[2]
        if self.process.poll() is not None or status == "T":
            found.append("the process was ended or stopped")
        try:
            self.server.accept()
            found.append("a connection was made")
        except BlockingIOError:
            pass
        return found


@contextmanager
def world():
    """A file, a process and a server; and a secret in this process's environment."""
    os.environ["HOSTILE_SECRET"] = SECRET
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        file = Path(folder, "file")
        file.write_text("untouched")
        Path(folder).chmod(0o777)
        file.chmod(0o666)
        process = subprocess.Popen(["sleep", "3600"])
        try:
            yield World(file, process, server)
        finally:
            process.kill()
            process.wait()
            del os.environ["HOSTILE_SECRET"]


def main() -> int:
    """A table of every program under every isolation; the exit code is the number of escapes."""
    escapes = 0
    path = os.environ["PATH"]
    with TemporaryDirectory() as bare, world() as outside:
        Path(bare, "unshare").symlink_to("/usr/bin/unshare")
        for where in (path, bare, "/nowhere"):
            os.environ["PATH"] = where
            try:
                sandbox = Sandbox(seconds=2.0, memory_mb=512)
            except UserError as error:
                print(f"none: all {len(HOSTILE)} refused: {error.problem}")
                continue
            ends: dict[str, int] = {}
            with sandbox:
                for name in HOSTILE:
                    execution = sandbox.run(outside.code(name))
                    harmed = outside.harmed(execution)
                    if sandbox.run("print('well')") != Execution("ok", "well\n"):
                        harmed.append("the next program suffered")
                    escapes += bool(harmed)
                    ends[execution.status] = ends.get(execution.status, 0) + 1
                    print(
                        f"{sandbox.isolation:<12} {name:<28} {execution.status:<8} {', '.join(harmed) or 'contained'}"
                    )
            print(f"{sandbox.isolation}: {len(HOSTILE)} programs, {escapes} escapes; {ends}\n")
    os.environ["PATH"] = path
    return escapes


if __name__ == "__main__":
    sys.exit(main())

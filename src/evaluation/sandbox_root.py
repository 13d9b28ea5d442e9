"""The file system of a sandbox without bubblewrap: `unshare ... python sandbox_root.py PATHS SCRATCH BYTES COMMAND...`

Runs as the first process of new namespaces. Builds a root that holds the colon-separated PATHS, read-only, beside a
few devices, /proc and an empty folder SCRATCH of BYTES; moves into it, gives up all rights, and becomes COMMAND.
Run as a script; imports nothing of this project. mount_setattr(2) wants Linux 5.12.
"""

import ctypes
import os
import struct
import sys
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC = 2, 4, 4096, 16384  # linux/mount.h
MNT_DETACH = 2
SYS_MOUNT_SETATTR, SYS_PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID = 1, 2
PR_CAPBSET_DROP, CAPABILITIES = 24, 41
CAP_KILL, CAP_SETGID, CAP_SETUID = 5, 6, 7
DEVICES = ("null", "zero", "full", "random", "urandom")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    words = (word.encode() or None for word in (source, str(target), kind))
    check(libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def build(root: Path, paths: list[str], scratch: str, size: str) -> None:
    """Mount everything below `root`."""
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for path in [*paths, *(f"/dev/{name}" for name in DEVICES)]:
        bind(path, root)
    for folder, kind in (("/proc", "proc"), (scratch, "tmpfs"), ("/tmp", "tmpfs")):
        below(root, folder).mkdir(parents=True, exist_ok=True)
        if folder == "/proc":
            mount(kind, below(root, folder), kind, MS_NOSUID | MS_NODEV)
    attributes = struct.pack("=4Q", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
    place = os.fsencode(root)
    check(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, place, AT_RECURSIVE, attributes, len(attributes)), "mount_setattr")
    mount("tmpfs", below(root, scratch), "tmpfs", MS_NOSUID | MS_NODEV, f"mode=1777,size={size}")


def bind(path: str, root: Path) -> None:
    target = below(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(path).is_dir():
        target.mkdir(exist_ok=True)
    elif not target.exists():
        target.touch()
    mount(path, target, flags=MS_BIND | MS_REC)


def below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def main(paths: str, scratch: str, size: str, *command: str) -> None:
    root = Path("/sys")  # a place that exists everywhere, and hides nothing that is still needed
    build(root, paths.split(os.pathsep), scratch, size)
    os.chdir(root)
    check(libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    check(libc.umount2(b".", MNT_DETACH), "umount2")
    os.chdir(scratch)
    in_user_namespace = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[1:] != ["0", "4294967295"]
    kept = () if in_user_namespace else (CAP_KILL, CAP_SETGID, CAP_SETUID)  # real root drops to a user of its own
    for capability in set(range(CAPABILITIES)) - set(kept):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])

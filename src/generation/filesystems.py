"""Whether a folder lies on a file system that several hosts share."""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
SHARED = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.juicefs", "fuse.s3fs", "fuse.sshfs",
    "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "smb3", "smbfs", "virtiofs",
    "wekafs",
}  # fmt: skip


def is_shared_by_hosts(folder: Path) -> bool:
    """By the type of its mount; False where the system does not tell (only Linux does)."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return type_of_mount(folder.resolve(), mounts) in SHARED


def type_of_mount(path: Path, mountinfo: str) -> str:
    """The file system type of the deepest mount above `path`, from text in the form of /proc/self/mountinfo."""
    deepest, kind = -1, ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        depth = len(point.parts)
        if depth >= deepest and path.is_relative_to(point):  # a later mount hides an earlier one
            deepest, kind = depth, after.split()[0]
    return kind

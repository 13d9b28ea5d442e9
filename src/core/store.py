"""Where finished stages live: `store/<stage>/<key>/`. A folder that exists is complete.

A stage is written to `<key>.partial/out` under a lock and renamed when its manifest is in it; what it needs to go on
after a kill waits in `<key>.partial/work`.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from src.core.errors import UserError
from src.core.stage import Artifact

MANIFEST = "manifest.json"
RESULT = "result.json"  # in a partial folder: how its work went
FULL_DISK_CODE = errno.ENOSPC  # a worker's exit code when it could not even write why it failed


class Store:
    """A folder of artifacts that any number of processes may use at the same time."""

    def __init__(self, root: Path):
        self.root = root

    def find(self, kind: str, key: str) -> Artifact | None:
        """The finished artifact, or None. Raises UserError when its manifest is damaged: it was edited by hand."""
        artifact = Artifact(self.root / kind / key)
        try:
            artifact.manifest  # noqa: B018  read now, so that no later use meets a damaged one
        except FileNotFoundError:
            return None
        except ValueError:
            raise UserError(
                f"{artifact.path / MANIFEST} is damaged: it is not JSON.",
                f"Remove the artifact, and the same command makes it again: rm -r {artifact.path}",
            ) from None
        return artifact

    @contextmanager
    def lock(self, kind: str, key: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold the right to make this artifact; `on_wait` is called once when another process holds it."""
        with full_disk_explained(self.root):
            (self.root / kind).mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / kind / f".{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                on_wait()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def partial(self, kind: str, key: str) -> Path:
        """The unfinished artifact's folder, with `out` and `work` as the last try left them."""
        folder = self.root / kind / f"{key}.partial"
        for name in ("out", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, kind: str, key: str, manifest: dict[str, Any]) -> Artifact:
        """Write the manifest last, then make the artifact appear at once."""
        partial, final = self.root / kind / f"{key}.partial", self.root / kind / key
        write_json(partial / "out" / MANIFEST, manifest)
        if final.exists():  # without a manifest: not ours, or damaged by hand
            raise UserError(f"{final} exists but has no {MANIFEST}.", f"Look at it, then remove it: rm -r {final}")
        (partial / "out").rename(final)
        shutil.rmtree(partial)
        return Artifact(final)


def worker_lock(folder: Path) -> FileLock:
    """Held by whoever fills a partial folder, until it has said how that went: an orphan of a killed run may still be
    at it, for a moment."""
    return FileLock(folder / "worker.lock")


def finished_work(folder: Path, id: str | None) -> dict[str, Any]:
    """What a worker that was started by hand, or whose launcher died, measured when it finished the work of that name;
    else nothing. Its `out` is whole only as long as nobody else fills it: ask under the `worker_lock`."""
    path = folder / RESULT
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return result if id and result.pop("spec", None) == id and "problem" not in result else {}


def write_json(path: Path, value: Any) -> None:
    """Replace the file at once: a reader sees the old text or the new one."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> Path:
    """The same for a text; returns the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary.replace(path)


def is_full_disk(error: BaseException) -> bool:
    """Arrow and SQLite report a full disk in their own words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "No space left on device" in str(error) or "database or disk is full" in str(error)


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Turn whatever a full disk raises into one `UserError`."""
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        raise full_disk(folder) from None


def full_disk(folder: Path) -> UserError:
    """The one message about a full disk."""
    return UserError(
        f"No space left on the disk that holds {folder}.",
        "Free some space, or move the outputs with outputs=/another/disk; then type the same command again: "
        "finished stages and rows are kept.",
    )

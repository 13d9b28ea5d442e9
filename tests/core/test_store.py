import errno
import threading
import time

import pytest

from src.core.errors import UserError
from src.core.store import Store, full_disk_explained


def make(store: Store, key: str = "k", text: str = "data") -> None:
    out = store.partial("toy", key) / "out"
    (out / "rows").write_text(text)


def test_an_artifact_appears_only_when_published(tmp_path):
    store = Store(tmp_path)
    make(store)
    assert store.find("toy", "k") is None
    artifact = store.publish("toy", "k", {"counts": {}})
    assert store.find("toy", "k") == artifact
    assert artifact.manifest == {"counts": {}}
    assert list(store.partial("toy", "k2").joinpath("out").iterdir()) == []
    assert [p.name for p in (tmp_path / "toy").iterdir() if "k.partial" in p.name] == []


def test_a_folder_without_a_manifest_is_not_an_artifact_and_is_never_overwritten(tmp_path):
    store = Store(tmp_path)
    (tmp_path / "toy/k").mkdir(parents=True)
    assert store.find("toy", "k") is None
    make(store)
    with pytest.raises(UserError, match="has no manifest"):
        store.publish("toy", "k", {})


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_a_damaged_manifest_is_named_with_the_mend(tmp_path, text):
    store = Store(tmp_path)
    make(store)
    artifact = store.publish("toy", "k", {})
    (artifact.path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="is damaged") as error:
        store.find("toy", "k")
    assert f"rm -r {artifact.path}" in str(error.value)


def test_the_second_maker_waits_and_then_finds_it_made(tmp_path):
    store, made, waited = Store(tmp_path), [], threading.Event()

    def maker() -> None:
        with store.lock("toy", "k", on_wait=waited.set):
            if store.find("toy", "k") is None:
                time.sleep(0.2)
                make(store)
                store.publish("toy", "k", {})
                made.append(1)

    threads = [threading.Thread(target=maker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert waited.is_set()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "x"), RuntimeError("IOError: No space left on device"), OSError(errno.EDQUOT, "x")]
)
def test_a_full_disk_is_named_in_one_message(tmp_path, error):
    with pytest.raises(UserError, match="No space left on the disk that holds"), full_disk_explained(tmp_path):
        raise error


def test_other_errors_keep_their_own_words(tmp_path):
    with pytest.raises(OSError, match="permission"), full_disk_explained(tmp_path):
        raise OSError(errno.EACCES, "permission")

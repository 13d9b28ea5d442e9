"""The Hugging Face hub, looked at without fetching: which commit a name stands for, and whether it may be read."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from src.core.errors import UserError, require
from src.core.fingerprint import file_digest

COMMIT = re.compile(r"[0-9a-f]{40}")
SECONDS = 10.0
SMALL = 1 << 28  # bytes of a file that is read for its hash
MODEL_FILES = {".json", ".safetensors", ".bin", ".gguf", ".model", ".txt", ".jinja"}
"""Weights, configurations, tokenizers and chat templates: what decides what a model computes and reads."""
_unreachable: list[str] = []  # why the hub cannot be reached: asked once by a process


@cache
def commit(
    repo: str,
    kind: Literal["model", "dataset"],
    revision: str | None = None,
    instead: str = "name a local folder",
    copy: str = "",
) -> str:
    """The commit that a branch or tag stands for now (None: the default branch); where the hub cannot be reached, the
    one in the local cache. For the message: what to do instead of asking the hub, and the name of a local copy.

    Raises UserError for a repository or revision that does not exist or may not be read, and where nobody knows.
    """
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    require("huggingface_hub", f"{repo} on the Hugging Face hub")
    if (found := _ask_hub(repo, kind, revision) or _cached(repo, kind, revision)) is None:
        name = f"{repo} ({copy})" if copy else repo
        raise UserError(
            f"The {kind} {name} is not in the local cache, and the hub cannot be reached ({_unreachable[0]}).",
            f"Check the network and HF_HUB_OFFLINE, or {instead}.",
        )
    return found


def _ask_hub(repo: str, kind: str, revision: str | None) -> str | None:
    """None where the hub cannot be reached."""
    from huggingface_hub import HfApi, constants, errors

    if constants.HF_HUB_OFFLINE:
        _unreachable.append("HF_HUB_OFFLINE is set")
    if _unreachable:
        return None
    try:
        info = HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=SECONDS)
        if info.gated:
            HfApi().auth_check(repo, repo_type=kind)
        return str(info.sha)
    except errors.GatedRepoError:
        mend = f"Accept its licence on https://huggingface.co/{repo} and run `hf auth login`."
        raise UserError(f"The {kind} {repo} is gated, and this machine has no access to it.", mend) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"The {kind} {repo} has no revision '{revision}'.", "Name a commit, tag or branch.") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        mend = "Check the name; a private one needs `hf auth login`. A local folder is named by its path."
        raise UserError(f"There is no {kind} '{repo}' on the Hugging Face hub.", mend) from None
    except (OSError, errors.HTTPError) as error:
        _unreachable.append(type(error).__name__)
        return None


def _cached(repo: str, kind: str, revision: str | None) -> str | None:
    from huggingface_hub.constants import HF_HUB_CACHE, REPO_ID_SEPARATOR

    folder = "".join((f"{kind}s", REPO_ID_SEPARATOR, repo.replace("/", REPO_ID_SEPARATOR)))
    try:
        with open(f"{HF_HUB_CACHE}/{folder}/refs/{revision or 'main'}", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return None


def model_identity(model: str | None) -> dict[str, str]:
    """What a model that is named by a folder or by a hub name is now, for a key: its files, or its commit. Empty where
    there is none, or nobody knows: whoever opens it says so."""
    if model is None:
        return {}
    if (folder := model_folder(model)) is not None:
        return files_identity(folder) if folder.is_dir() else {}
    try:
        return {"commit": commit(model, "model")}
    except UserError:
        return {}


def model_folder(name: str) -> Path | None:
    """The folder that a model's name is, there or not; None for a name on the hub, which has one slash at most and does
    not begin like a path ("org/model")."""
    folder = Path(name).expanduser()
    hub_name = not name.startswith((".", "/", "~")) and name.count("/") <= 1
    return folder if folder.is_dir() or not hub_name else None


def files_identity(folder: Path) -> dict[str, str]:
    """Of each file of a model's folder that changes what the model says the hash or, of a big one, size and time."""
    return {path.name: _fingerprint(path) for path in sorted(folder.iterdir()) if path.suffix in MODEL_FILES}


def _fingerprint(path: Path) -> str:
    stat = path.stat()
    if stat.st_size > SMALL:
        return f"{stat.st_size} bytes of {stat.st_mtime_ns}"
    return file_digest(path)

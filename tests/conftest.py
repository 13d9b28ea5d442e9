"""Nothing in the tests reaches a network or a user's account."""

import gc
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from src.evaluation.isolation import best_isolation

settings.register_profile("quiet", deadline=None)  # a busy machine is not a failing test
settings.load_profile("quiet")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A machine without vLLM passes: what needs it says so."""
    if find_spec("vllm") is None:
        for item in items:
            if item.get_closest_marker("vllm"):
                item.add_marker(pytest.mark.skip(reason="needs vLLM, which is not installed: make install"))


def pytest_collection_finish() -> None:
    """What the imports made stays for good: without it each full collection walks millions of objects (0.4 s)."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public benchmark and corpus samples beside the checkout; absent for most people."""
    if not SHARED_DATA.exists():
        pytest.skip(f"no sample data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def isolation():
    """For tests that run programs: skipped where the machine cannot keep them apart from itself."""
    found = best_isolation(os.environ.get("PATH", ""))
    if found is None:
        pytest.skip("neither bubblewrap nor user namespaces work here: apt-get install bubblewrap")
    return found

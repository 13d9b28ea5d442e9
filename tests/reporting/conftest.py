from pathlib import Path

import pytest

from tests.reporting import fake_store


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished job and one sweep of six, the last of which failed. Not to be written to."""
    folder = tmp_path_factory.mktemp("outputs")
    fake_store.demo(folder)
    fake_store.sweep(folder)
    return folder

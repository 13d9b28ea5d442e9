import shutil
from pathlib import Path

import pytest

from src.reporting import write_report
from tests.reporting import fake_store

STUDIES = ("demo", "ablation_no_influence", "ablation_data_volume")


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished job, a sweep of six whose last failed, and one along a number. Not to be written to."""
    folder = tmp_path_factory.mktemp("outputs")
    fake_store.demo(folder)
    fake_store.sweep(folder)
    fake_store.volumes(folder)
    return folder


@pytest.fixture(scope="session")
def pages(outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports on that store: the page of each study."""
    copied = Path(shutil.copytree(outputs, tmp_path_factory.mktemp("reports") / "outputs"))
    return {study: write_report(copied, study) for study in STUDIES}

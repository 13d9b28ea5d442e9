"""What a job does when it is done."""

import pytest

from src.core.errors import UserError
from src.pipeline.job import Job


@pytest.mark.parametrize("error", [ValueError("no such column"), UserError("No job of s is complete.", "Run one.")])
def test_a_report_that_fails_does_not_fail_the_job_and_is_told_how_to_be_made_again(
    monkeypatch, caplog, tmp_path, error
):
    def fail(*_):
        raise error

    monkeypatch.setattr("src.reporting.write_report", fail)
    job = object.__new__(Job)
    job.outputs, job.study = tmp_path, "s"
    job._report()
    (record,) = caplog.records
    assert str(error) in record.getMessage()
    assert "python -m src.report study=s" in record.getMessage()
    assert bool(record.exc_info) == isinstance(error, ValueError), "a bug keeps its traceback"

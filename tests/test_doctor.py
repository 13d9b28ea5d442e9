import pytest

from src import doctor


@pytest.mark.parametrize(("isolation", "option"), [("bubblewrap", ""), (None, "programs=skip")])
def test_the_demo_runs_no_program_where_nothing_isolates_it(monkeypatch, capsys, isolation, option):
    monkeypatch.setattr(doctor, "best_isolation", lambda path: isolation)
    assert doctor.programs_option() == option
    assert ("programs=skip" in capsys.readouterr().err) is bool(option)

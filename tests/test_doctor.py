import pytest

from src import doctor


@pytest.mark.parametrize(("isolation", "option"), [("bubblewrap", ""), (None, "programs=skip")])
def test_the_demo_runs_no_program_where_nothing_isolates_it(monkeypatch, capsys, isolation, option):
    monkeypatch.setattr(doctor, "best_isolation", lambda path: isolation)
    assert doctor.programs_option() == option
    assert ("programs=skip" in capsys.readouterr().err) is bool(option)


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("--foo", 2)])
def test_a_question_runs_no_check(word, code):
    with pytest.raises(SystemExit) as end:
        doctor.arguments([word])
    assert end.value.code == code

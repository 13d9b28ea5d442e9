import pytest

from src import doctor


@pytest.mark.parametrize(("isolation", "option"), [("bubblewrap", ""), (None, "programs=skip")])
def test_the_demo_runs_no_program_where_nothing_isolates_it(monkeypatch, capsys, isolation, option):
    monkeypatch.setattr(doctor, "best_isolation", lambda path: isolation)
    assert doctor.programs_option() == option
    assert ("programs=skip" in capsys.readouterr().err) is bool(option)


@pytest.mark.parametrize(
    ("cards", "build", "row"),
    [
        (0, "2.9.0+cpu", ("none", "the laptop scale runs without")),
        (2, "2.9.0", ("2 NVIDIA", "")),
        (2, "2.9.0+cpu", ("2 NVIDIA", "unused: torch 2.9.0+cpu is the CPU build; make install EXTRA=gpu")),
    ],
)
def test_a_card_that_torch_cannot_use_is_told(monkeypatch, cards, build, row):
    monkeypatch.setattr(doctor, "cuda_devices", lambda: cards)
    monkeypatch.setattr("src.core.machine.version", lambda package: build)
    assert list(doctor.rows())[-1] == ("GPU", *row, True)


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("--foo", 2)])
def test_a_question_runs_no_check(word, code):
    with pytest.raises(SystemExit) as end:
        doctor.arguments([word])
    assert end.value.code == code

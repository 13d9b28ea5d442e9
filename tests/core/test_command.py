import sys

from src.core import command


def test_what_the_shell_would_change_is_quoted(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["x", "+experiment=ablation_kind", "name=${choice:clean}", "seed=0,1"])
    assert command._own().endswith(" +experiment=ablation_kind 'name=${choice:clean}' seed=0,1")

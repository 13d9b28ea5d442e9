import pytest
import torch

from src.modeling.selftest import _tell_of_leaks, room
from tests.selection.conftest import tiny_lfm2, tiny_llama


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_rows_share_a_pass_only_where_they_do_not_see_each_other(precision, capsys):
    _tell_of_leaks.cache_clear()
    assert room(tiny_llama().to(precision), 500, 100) == 500 and not capsys.readouterr().err
    assert room(tiny_lfm2().to(precision), 500, 100) == 1
    assert "Lfm2ForCausalLM lets packed rows see each other" in capsys.readouterr().err

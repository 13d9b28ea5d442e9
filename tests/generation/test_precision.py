import platform

import pytest
import torch

from src.generation.precision import on_cpu


@pytest.mark.parametrize(
    ("machine", "native", "given", "used"),
    [
        ("x86_64", False, "auto", "float32"),
        ("AMD64", False, "auto", "float32"),
        ("x86_64", True, "auto", "auto"),
        ("arm64", False, "auto", "auto"),
        ("x86_64", False, "bfloat16", "bfloat16"),
    ],
)
def test_bfloat16_is_taken_where_the_processor_has_it_or_the_user_wants_it(machine, native, given, used, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert on_cpu(given) == used

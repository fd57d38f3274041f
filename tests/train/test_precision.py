from __future__ import annotations

import pytest
import torch
from torch import nn

from manyheads.errors import RecipeError
from manyheads.train.precision import choose_precision
from manyheads.train.settings import Precision

CPU = torch.device("cpu")


def test_auto_on_a_cpu_follows_its_instructions():
    capabilities = torch.cpu.get_capabilities()
    fast = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    expected = torch.bfloat16 if fast else torch.float32
    assert choose_precision(Precision.AUTO, CPU).dtype is expected


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BFLOAT16])
def test_products_have_the_chosen_format_and_weights_stay(precision: Precision):
    chosen = choose_precision(precision, CPU)
    linear = nn.Linear(4, 4)
    with chosen.autocast():
        output = linear(torch.randn(2, 4))
    assert output.dtype is chosen.dtype
    output.float().sum().backward()
    assert linear.weight.grad is not None
    assert linear.weight.grad.dtype is torch.float32
    assert not chosen.scaler().is_enabled()


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(RecipeError, match=r"precision=float16 needs a CUDA device.*on cpu"):
        choose_precision(Precision.FLOAT16, CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_float16_on_cuda_scales_the_loss():
    chosen = choose_precision(Precision.FLOAT16, torch.device("cuda"))
    assert chosen.dtype is torch.float16
    assert chosen.scaler().is_enabled()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_on_cuda_is_a_half_width_format():
    chosen = choose_precision(Precision.AUTO, torch.device("cuda"))
    assert chosen.dtype in (torch.bfloat16, torch.float16)
    assert chosen.scaler().is_enabled() == (chosen.dtype is torch.float16)

"""What to compute with: the wish is followed, or refused with the next move."""

import pytest
import torch

from instructglm.core.errors import ModelError
from instructglm.models import hardware
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype, describe_device, has_bfloat16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == CPU


def test_auto_takes_an_accelerator_where_there_is_one():
    there = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device("auto").type == there


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_with_the_next_move(wanted):
    if (torch.cuda if wanted == "cuda" else torch.backends.mps).is_available():
        pytest.skip(f"this machine has {wanted}")
    with pytest.raises(ModelError, match=f"model.device is {wanted}; found .*cpu") as caught:
        choose_device(wanted)
    assert "auto" in caught.value.hint


def test_a_dtype_that_is_named_is_taken():
    assert choose_dtype("float32", CPU) == torch.float32
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16


def test_auto_is_bfloat16_exactly_where_the_processor_has_it():
    assert choose_dtype("auto", CPU) == (torch.bfloat16 if has_bfloat16(CPU) else torch.float32)
    assert choose_dtype("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse2 avx512f avx512_bf16\n", True),
        ("flags : fpu amx_bf16", True),
        ("Features\t: fp asimd bf16 i8mm", True),
        ("flags : fpu sse2 avx2", False),
        ("model name : bf16 inside a name", False),
    ],
)
def test_the_processors_own_word_is_read(tmp_path, monkeypatch, cpuinfo, expected):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(hardware, "Path", lambda name: tmp_path / name.rpartition("/")[2])
    assert has_bfloat16(CPU) is expected


def test_without_its_word_nothing_is_assumed(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "Path", lambda name: tmp_path / "missing")
    assert has_bfloat16(CPU) is False
    assert describe_device(CPU).startswith("CPU: unknown")


def test_attention_on_a_cpu_is_chosen_by_length():
    assert choose_attention("auto", CPU, 256) == "eager"
    assert choose_attention("auto", CPU, 257) == "sdpa"
    assert choose_attention("auto", CUDA, 64) == "sdpa"
    assert choose_attention("flash_attention_2", CPU, 64) == "flash_attention_2"


def test_the_device_is_described_in_words():
    assert describe_device(CPU).startswith("CPU: ")
    assert describe_device(CPU).endswith(f"{torch.get_num_threads()} threads")


def test_flex_attention_does_not_train_on_a_cpu():
    assert choose_attention("flex_attention", CUDA, 64) == "flex_attention"
    with pytest.raises(ModelError, match="no backward pass on a CPU") as caught:
        choose_attention("flex_attention", CPU, 64)
    assert "sdpa" in caught.value.hint

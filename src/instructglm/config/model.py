"""`model:` which weights to start from."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from instructglm.config.section import Section


class Quantization(Section):
    """Frozen weights in few bits, as transformers' `BitsAndBytesConfig` (QLoRA; Dettmers et al., 2023)."""

    load_in_4bit: bool = True
    """Four bits a weight, the only number there is."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """The sixteen numbers of 4 bits: `nf4` has them where weights are many."""
    bnb_4bit_use_double_quant: bool = True
    """Whether the scales of the blocks are quantized too, which saves 0.4 bits a weight."""

    @model_validator(mode="after")
    def _in_four_bits(self) -> Quantization:
        if not self.load_in_4bit:
            raise ValueError("load_in_4bit is false; set it to true, or take the whole quantization_config away")
        return self


class ModelSettings(Section):
    """The model to tune."""

    name_or_path: str = "embedded"
    """A hub id, a local folder, `embedded` (SmolLM2-135M-Instruct, comes with the installation), or one of the tiny
    models for dry runs, `chatglm-tiny` and `glm-tiny`. A relative path starts at the experiment file's folder."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of training and evaluation alike. `auto` is bfloat16 where the hardware has it.
    Weights that are trained stay float32."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute. `auto` takes the first accelerator there is."""
    attn_implementation: Literal["auto", "eager", "sdpa", "flex_attention", "flash_attention_2"] = "auto"
    """How attention is computed. `auto` is `eager` for short sequences on a CPU, where it is faster, else `sdpa`.
    Packed training has an attention of its own; any other choice turns packing off."""
    quantization_config: Quantization | None = None
    """In how many bits frozen weights are kept; with `tuning.method` lora that is QLoRA. Not set: in all of `dtype`."""

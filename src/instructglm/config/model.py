"""`model:` which weights to start from."""

from __future__ import annotations

from typing import Literal

from instructglm.config.section import Section


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

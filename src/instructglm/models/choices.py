"""What a caller of `load` may choose, checked before weights are read: a wrong choice is no fault of the model's."""

from __future__ import annotations

import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from instructglm.core.errors import ModelError
from instructglm.core.lookup import nearest
from instructglm.models.families import Family

DTYPES: dict[str, torch.dtype | str] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "auto": "auto",
}
_SHORT_NAMES = {
    "float": "float32", "fp32": "float32", "f32": "float32",
    "half": "float16", "fp16": "float16", "f16": "float16",
    "bf16": "bfloat16",
}  # fmt: skip
_ONE_WAY = ("flash", "paged", "/")  # parts of the names of kernels that take no mask; those of the hub have a slash


def dtype_of(dtype: torch.dtype | str) -> torch.dtype | str:
    """What `from_pretrained` is to be told.

    Raises:
        ModelError: no model is computed in this.
    """
    if isinstance(dtype, torch.dtype) and dtype.is_floating_point:
        return dtype
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    name = str(dtype).removeprefix("torch.")
    close = _SHORT_NAMES.get(name.lower()) or (name if name in DTYPES else nearest(name.lower(), DTYPES))
    raise ModelError(
        f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}",
        hint=f"Did you mean {close}?" if close else "To load in 8 or 4 bits, give a quantization_config.",
    )


def check_attention(name: str | None, family: Family) -> None:
    """Refuse an `attn_implementation` that does not exist, or that would misread this family in silence.

    Raises:
        ModelError: it is one of these.
    """
    if name is None:
        return
    if family == "chatglm" and any(part in str(name) for part in _ONE_WAY):
        raise ModelError(
            f"attn_implementation is {name}: it takes no mask, and ChatGLM-6B's context would be read one way only",
            hint="Use sdpa, eager or flex_attention.",
        )
    known = sorted({"eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()})
    if "/" not in str(name) and str(name).removeprefix("paged|") not in known and name not in known:
        close = nearest(str(name), known)
        raise ModelError(
            f"attn_implementation is {name!r}; expected one of {', '.join(known)}, or a kernel of the hub",
            hint=f"Did you mean {close}?" if close else "Leave it out: transformers then takes the best it has.",
        )

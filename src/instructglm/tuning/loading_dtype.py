"""In which dtype a model can be loaded to be tuned, so that what comes out is the same to the last bit."""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from instructglm.config.tuning import LoraTuning, PrefixTuning, Tuning


def loading_dtype(tuning: Tuning, dtype: torch.dtype, outline: Callable[[torch.dtype], PreTrainedModel]) -> torch.dtype:
    """`dtype`, where every weight of the model becomes that anyway and nothing else of it depends on it; else float32.

    A method that moves weights of the model wants them in float32, and DoRA
    measures them before they are rounded. A family may compute a buffer in the
    dtype it is loaded in, or keep one from its checkpoint; there too it is float32.

    Args:
        tuning: The method.
        dtype: Of the matrix products.
        outline: Makes the model without numbers, as it would be loaded in a dtype.
    """
    if dtype == torch.float32 or not _leaves_weights_alone(tuning):
        return torch.float32
    exact, small = outline(torch.float32), outline(dtype)
    if getattr(exact.config, "quantization_config", None) is not None:  # it says itself what becomes of its weights
        return torch.float32
    return dtype if _buffers(exact) == _buffers(small) else torch.float32


def _leaves_weights_alone(tuning: Tuning) -> bool:
    return isinstance(tuning, PrefixTuning) or (isinstance(tuning, LoraTuning) and not tuning.use_dora)


def _buffers(model: PreTrainedModel) -> dict[str, torch.dtype]:
    return {name: buffer.dtype for name, buffer in model.named_buffers()}

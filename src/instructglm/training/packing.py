"""Whether a model can be trained on packed rows: tried out on it, since a wrong loss would say nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.training.batches import Batch, collate, flatten, pack
from instructglm.training.loss import arithmetic, logits_at_labels
from instructglm.tuning import TunedModel

_NUM_TRIED = 3  # prompts
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}  # of the logits' spread


def against_packing(
    tuned: TunedModel, features: Sequence[Feature], device: torch.device, dtype: torch.dtype
) -> str | None:
    """Why these features cannot be packed for this model; None where a packed row gives what its sequences give alone.

    The shortest prompts are read both ways. Layers that mix neighbouring
    tokens, or look at positions in a way of their own, are found out here.
    """
    if tuned.against_packing:
        return tuned.against_packing
    shortest = sorted(features, key=lambda one: len(one.context.input_ids) + sum(map(len, one.outputs)))[:_NUM_TRIED]
    tried = [Feature(f.example_id, Encoded.untrained(f.context.input_ids), f.outputs, f.weights) for f in shortest]
    training = tuned.model.training
    tuned.model.eval()
    try:
        with torch.no_grad(), arithmetic(device, dtype):
            packed = _logits(tuned, pack(tried).to(device))
            alone = torch.cat([_logits(tuned, collate([one], 0).to(device)) for one in flatten(tried)])
    except Exception as error:  # whatever a model that knows nothing of segments may raise
        return next(iter(str(error).splitlines()), type(error).__name__)
    finally:
        tuned.model.train(training)
    apart = float((packed - alone).abs().max() / alone.std())
    if apart > _TOLERANCE.get(dtype, _TOLERANCE[torch.bfloat16]):
        return f"its logits differ by {apart:.2g} of their spread from those of the sequences alone"
    return None


def _logits(tuned: TunedModel, batch: Batch) -> torch.Tensor:
    return logits_at_labels(tuned.model, batch).float()

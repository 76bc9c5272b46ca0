"""Whether a model can be trained on packed rows: tried out on it, since a wrong loss would say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.registration import SHARED_PREFIX
from instructglm.training.batches import Batch, collate, flatten, pack
from instructglm.training.loss import arithmetic, logits_at_labels
from instructglm.tuning import TunedModel

_NUM_TRIED = 3  # prompts
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05}  # root mean square, in units of the logits' spread
_LEAK = 1e-6  # likewise: what a token may change in sequences that do not see it, in products of the same shapes
_WINDOWS = ("sliding_window", "attention_chunk_size")


def set_packed(
    tuned: TunedModel, features: Sequence[Feature], device: torch.device, dtype: torch.dtype, *, otherwise: str
) -> str | None:
    """Have the model read packed rows; where it cannot, it keeps the attention `otherwise`, and the reason is told.

    The shortest prompts are read packed and each sequence alone: logits must be
    equal, and no sequence may change with what another one holds. So layers
    that mix neighbouring tokens, or look at positions in a way of their own,
    are found out, whatever they are.
    """
    model: Any = tuned.model
    reason = exchange_attention(tuned, features)
    if reason:
        return reason
    reason = _tried(tuned, features, device, dtype)
    if reason:
        model.set_attn_implementation(otherwise)
    return reason


def exchange_attention(tuned: TunedModel, features: Sequence[Feature]) -> str | None:
    """Give the model the attention of packed rows; the reason where it is known, without a trial, that it cannot be."""
    model: Any = tuned.model
    reason = tuned.against_packing or _against_length(model.config, features)
    if reason:
        return reason
    model.set_attn_implementation(SHARED_PREFIX)
    exchanged = model.config._attn_implementation == SHARED_PREFIX
    return None if exchanged else "its attention cannot be exchanged"


def _against_length(config: Any, features: Sequence[Feature]) -> str | None:
    """Windows and chunks that a sequence of these would meet: some families have them in their masks only."""
    config = config.get_text_config(decoder=True)  # of a model that also sees or hears; its own otherwise
    longest = max(len(one.context.input_ids) + max(map(len, one.outputs)) for one in features)
    for name in _WINDOWS:
        limit = getattr(config, name, None)
        if limit is not None and limit < longest and getattr(config, "use_sliding_window", True):
            return f"its {name} is {limit} tokens, and a sequence has {longest}"
    return None


def _tried(tuned: TunedModel, features: Sequence[Feature], device: torch.device, dtype: torch.dtype) -> str | None:
    tried = _to_try(features)
    training = tuned.model.training
    try:
        if device.type != "cpu":
            _step(tuned, pack(tried).to(device), device, dtype)
        tuned.model.eval()
        with torch.no_grad(), arithmetic(device, dtype):
            packed = _logits(tuned, pack(tried).to(device))
            alone = torch.cat([_logits(tuned, collate([one], 0).to(device)) for one in flatten(tried)])
            others = _logits(tuned, pack(_with_another_output(tried)).to(device))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a model that knows nothing of segments may raise
        return next(iter(str(error).splitlines()), "") or type(error).__name__
    finally:
        tuned.model.train(training)
    spread = float(alone.std())
    apart = float((packed - alone).square().mean().sqrt())
    if not apart <= _TOLERANCE[dtype] * spread:  # nor is it a number that is none
        return f"its logits differ by {apart:.2g} from those of the sequences alone, and spread over {spread:.2g}"
    changed = len(tried[0].outputs[0])
    leak = float((packed - others)[changed:].abs().max())
    # With experts, it also changes how many tokens each of them multiplies, and by that the rounding.
    allowed = _TOLERANCE[dtype] if any("experts" in key for key in tuned.model.config.to_dict()) else _LEAK  # type: ignore[union-attr, operator]
    return None if leak <= allowed * spread else "a sequence changes with what stands beside it"


def _to_try(features: Sequence[Feature]) -> list[Feature]:
    """The shortest prompts, at least two, of at least two outputs each; nothing in a context is trained."""
    shortest = sorted(features, key=lambda one: one.num_tokens)[:_NUM_TRIED]
    shortest = shortest * 2 if len(shortest) == 1 else shortest
    return [
        Feature(one.example_id, Encoded.untrained(one.context.input_ids), outputs, [1.0] * len(outputs))
        for one in shortest
        for outputs in [one.outputs if len(one.outputs) > 1 else one.outputs * 2]
    ]


def _with_another_output(features: Sequence[Feature]) -> list[Feature]:
    """The same with other ids in the first output of the first prompt, which nothing else may see."""
    first, *rest = features
    ids = [token for feature in features for token in feature.context.input_ids if token != first.outputs[0][0]]
    other = [ids[place % len(ids)] if ids else token for place, token in enumerate(first.outputs[0])]
    return [Feature(first.example_id, first.context, [other, *first.outputs[1:]], first.weights), *rest]


def _logits(tuned: TunedModel, batch: Batch) -> torch.Tensor:
    return logits_at_labels(tuned.model, batch).float()


def _step(tuned: TunedModel, batch: Batch, device: torch.device, dtype: torch.dtype) -> None:
    """Forward and backward as in training: an accelerator's attention may refuse dropout, or have no gradient here."""
    tuned.model.train()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []), arithmetic(device, dtype):
            logits_at_labels(tuned.model, batch).float().square().mean().backward()  # type: ignore[no-untyped-call]
    finally:
        tuned.model.zero_grad(set_to_none=True)

"""What a model makes of the test items: likelihoods of the choices, and a greedy answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.core.ledger import Ledger
from instructglm.core.progress import Progress
from instructglm.core.records import Example, Prediction
from instructglm.data.features import fit_context
from instructglm.data.templates import Template
from instructglm.models.window import window
from instructglm.tuning import start_reading

# Shapes: B items, T context tokens (and the columns of a trained prefix in front), S tokens of a choice, V vocabulary.


@dataclass(frozen=True)
class Predictor:
    """A model ready to answer, under one name, in one arithmetic."""

    name: str
    model: PreTrainedModel
    template: Template
    device: torch.device
    dtype: torch.dtype

    @cached_property
    def stop_ids(self) -> list[int]:
        """The tokens that end an answer: the template's, and those that the model was made with."""
        shipped = self.model.generation_config.eos_token_id
        others = shipped if isinstance(shipped, list) else [shipped]
        return sorted(self.template.stop_ids | {token for token in others if token is not None})

    def arithmetic(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, self.dtype)


@dataclass(frozen=True)
class _Item:
    """An example with its context's ids, and how many of its prompt's tokens were cut to make it fit."""

    index: int
    example: Example
    context: list[int]
    num_cut: int = 0


def predict(
    predictor: Predictor,
    examples: Sequence[Example],
    settings: EvaluationSettings,
    data: DataSettings,
    progress: Progress,
    *,
    closed_in_writing: bool = True,
) -> list[Prediction]:
    """One prediction for each example, in their order.

    Items of closed tasks have likelihoods of their choices, and a written answer
    unless `closed_in_writing` is false, which leaves the text empty.

    A prompt that leaves no room for an answer within `data.max_length`, or
    within what the model reads, is *unscored*, with the reason; under
    `truncate_prompt` it is cut instead.
    """
    results: dict[int, Prediction] = {}
    room = min(data.max_length, window(predictor.model) or data.max_length)
    items = [_item(index, example, predictor, room, data) for index, example in enumerate(examples)]
    for index, (example, item) in enumerate(zip(examples, items, strict=True)):
        if item is None:
            name = "max_length" if room == data.max_length else "this model's window of"
            results[index] = _unscored(example, predictor, f"prompt too long for {name} {room}")
    with progress.stage(f"answers of {predictor.name}", total=len(examples), unit="item", done=len(results)) as bar:
        for batch in _batches([item for item in items if item], settings.batch_size):
            predicted = _predict_batch(predictor, batch, _limit(batch, settings, closed_in_writing))
            results.update(zip((item.index for item in batch), predicted, strict=True))
            bar.advance(len(batch))
    return [results[index] for index in range(len(examples))]


def _item(index: int, example: Example, predictor: Predictor, room: int, data: DataSettings) -> _Item | None:
    longest = max((len(predictor.template.output_ids(choice)) for choice in example.choices), default=1)
    ledger = Ledger()
    context = fit_context(example, predictor.template, room - longest, data.overlong, ledger)
    num_cut = sum(entry.num_tokens or 0 for entry in ledger.entries)
    return None if context is None else _Item(index, example, context.input_ids, num_cut)


def _unscored(example: Example, predictor: Predictor, reason: str) -> Prediction:
    return Prediction(example_id=example.id, task=example.task, model=predictor.name, unscored=reason)


def _batches(items: Sequence[_Item], size: int) -> list[list[_Item]]:
    """Open and closed items apart (they generate to different lengths), each longest first."""
    ordered = sorted(items, key=lambda item: (bool(item.example.choices), -len(item.context), item.index))
    batches: list[list[_Item]] = []
    for item in ordered:
        fits = batches and len(batches[-1]) < size
        if fits and bool(batches[-1][0].example.choices) == bool(item.example.choices):
            batches[-1].append(item)
        else:
            batches.append([item])
    return batches


def _limit(batch: list[_Item], settings: EvaluationSettings, closed_in_writing: bool) -> int:
    """How many tokens to write; 0 where no answer is wanted in writing."""
    if not batch[0].example.choices:
        return settings.max_new_tokens
    return settings.max_new_tokens_closed if closed_in_writing else 0


@torch.no_grad()
def _predict_batch(predictor: Predictor, batch: list[_Item], limit: int) -> list[Prediction]:
    with predictor.arithmetic():
        prefill = _prefill(predictor, batch)
        scores = _choice_logprobs(predictor, batch, prefill)
        generated = _generate(predictor, prefill, limit) if limit else [[] for _ in batch]
    return [
        _prediction(predictor, item, tokens, logprobs)
        for item, tokens, logprobs in zip(batch, generated, scores, strict=True)
    ]


@dataclass(frozen=True)
class _Prefill:
    """The contexts of a batch, read once: everything after them starts from this cache."""

    network: PreTrainedModel  # what reads with a cache: the predictor's model, or what PEFT has wrapped in it
    input_ids: torch.Tensor  # (B, T), padded on the left; any id where a trained prefix stands
    attention_mask: torch.Tensor  # (B, T)
    cache: DynamicCache
    layout: dict[str, torch.Tensor]  # what the model needs to know of the contexts when it goes on from the cache
    next_logprobs: torch.Tensor  # (B, V) float32, of the token after each context


def _prefill(predictor: Predictor, batch: list[_Item]) -> _Prefill:
    width = max(len(item.context) for item in batch)
    pad_id = predictor.template.stop_id  # the mask hides it; only no id that a model looks for, such as <sop>
    rows = [[pad_id] * (width - len(item.context)) + item.context for item in batch]
    marks = [[0] * (width - len(item.context)) + [1] * len(item.context) for item in batch]
    network, cache = start_reading(predictor.model, len(batch))
    front = cache.get_seq_length()
    ids = pad(torch.tensor(rows, device=predictor.device), (front, 0), value=pad_id)
    mask = pad(torch.tensor(marks, device=predictor.device), (front, 0), value=1)
    logits = network(
        input_ids=ids[:, front:],
        attention_mask=mask,
        position_ids=_positions(mask)[:, front:],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    return _Prefill(network, ids, mask, cache, _layout(network, ids, mask), logits.float().log_softmax(dim=-1))


def _layout(network: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Where the contexts end, for a model whose positions depend on it (ChatGLM-6B); nothing for others."""
    lay_out = getattr(network, "prompt_layout", None)
    return {} if lay_out is None else dict(lay_out(ids, mask))


def _positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def _choice_logprobs(predictor: Predictor, batch: list[_Item], prefill: _Prefill) -> list[tuple[float, ...]]:
    """Natural-log likelihood of each choice after its context, the stop token left out, as is usual."""
    choices = [[predictor.template.output_ids(text)[:-1] for text in item.example.choices] for item in batch]
    scores: list[list[float]] = [[] for _ in batch]
    for place in range(max(map(len, choices))):
        ids = [of_item[min(place, len(of_item) - 1)] if of_item else [0] for of_item in choices]
        for row, value in enumerate(_continuation_logprobs(predictor, prefill, ids)):
            if place < len(choices[row]):
                scores[row].append(value)
    return [tuple(row) for row in scores]


def _continuation_logprobs(predictor: Predictor, prefill: _Prefill, continuations: list[list[int]]) -> list[float]:
    """Log-likelihood of one continuation per item; the cache is left as it was."""
    lengths = [len(ids) for ids in continuations]
    width = max(lengths)
    ids = torch.tensor([row + [0] * (width - len(row)) for row in continuations], device=predictor.device)  # (B, S)
    steps = [prefill.next_logprobs.unsqueeze(1)]  # (B, 1, V)
    if width > 1:
        mask = torch.cat([prefill.attention_mask, torch.ones_like(ids[:, :-1])], dim=1)
        start = prefill.input_ids.shape[1]
        logits = prefill.network(
            input_ids=ids[:, :-1],
            attention_mask=mask,
            position_ids=_positions(mask)[:, start:],
            past_key_values=prefill.cache,
            use_cache=True,
            **prefill.layout,
        ).logits
        prefill.cache.crop(1 - width)
        steps.append(logits.float().log_softmax(dim=-1))
    tokens = torch.cat(steps, dim=1).gather(2, ids.unsqueeze(2)).squeeze(2)  # (B, S)
    real = torch.arange(width, device=ids.device) < torch.tensor(lengths, device=ids.device).unsqueeze(1)
    return [float(value) for value in tokens.masked_fill(~real, 0.0).sum(dim=1)]


def _generate(predictor: Predictor, prefill: _Prefill, limit: int) -> list[list[int]]:
    """Greedy answers from the shared cache, the stop token included where the model gave it."""
    prefill.cache.crop(-1)  # generate reads the last token again
    output = prefill.network.generate(
        input_ids=prefill.input_ids,
        attention_mask=prefill.attention_mask,
        past_key_values=prefill.cache,
        max_new_tokens=limit,
        do_sample=False,
        eos_token_id=predictor.stop_ids,
        pad_token_id=predictor.template.stop_id,
    )
    return [_until_stop(row, predictor.stop_ids) for row in output[:, prefill.input_ids.shape[1] :].tolist()]


def _until_stop(tokens: list[int], stop_ids: Sequence[int]) -> list[int]:
    end = next((place for place, token in enumerate(tokens, start=1) if token in stop_ids), len(tokens))
    return tokens[:end]


def _prediction(predictor: Predictor, item: _Item, tokens: list[int], logprobs: tuple[float, ...]) -> Prediction:
    stopped = bool(tokens) and tokens[-1] in predictor.stop_ids
    return Prediction(
        example_id=item.example.id,
        task=item.example.task,
        model=predictor.name,
        text=predictor.template.answer_text(tokens[:-1] if stopped else tokens),
        num_tokens=len(tokens),
        finish_reason="stop" if stopped else "length" if tokens else "none",
        choice_logprobs=logprobs,
        num_prompt_tokens_cut=item.num_cut,
    )

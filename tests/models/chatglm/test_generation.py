"""`generate` in all its ways, against the plain reference, which reads the whole row anew for every token."""

from __future__ import annotations

from itertools import product
from typing import Any

import chatglm_reference
import pytest
import torch

from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM

PAD, MASK, GMASK, SOP, EOP, NEVER = 3, 4, 5, 6, 7, -1
PROMPTS = {"gmask": [11, 12, 13, 14, GMASK, SOP], "infilling": [11, MASK, 13, 14, SOP], "short": [15, GMASK, SOP]}
SETTINGS = {"plain": {}, "prefix": {"pre_seq_len": 3}}
CACHES = [{}, {"use_cache": False}, {"cache_implementation": "static"}]
NUM_NEW = 6  # tokens


def built(seed: int = 0, **settings: Any) -> ChatGLMForCausalLM:
    torch.manual_seed(seed)
    config = ChatGLMConfig(
        vocab_size=24,
        hidden_size=32,
        num_layers=2,
        num_attention_heads=2,
        inner_hidden_size=64,
        max_sequence_length=64,
        pad_token_id=PAD,
        mask_token_id=MASK,
        gmask_token_id=GMASK,
        bos_token_id=SOP,
        eos_token_id=EOP,
        initializer_range=0.5,  # so that no two tokens are nearly as likely
        tie_word_embeddings=False,  # or answers soon repeat one token
        **settings,
    )
    return ChatGLMForCausalLM(config).eval()


@pytest.fixture(scope="module", params=sorted(SETTINGS))
def model(request: pytest.FixtureRequest) -> ChatGLMForCausalLM:
    return built(**SETTINGS[request.param])


def padded(*prompts: list[int]) -> dict[str, torch.Tensor]:
    """Prompts as one batch, padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return {"input_ids": ids, "attention_mask": mask}


def generated(model: ChatGLMForCausalLM, *prompts: list[int], **how: Any) -> Any:
    settings = {"max_new_tokens": NUM_NEW, "do_sample": False, "eos_token_id": NEVER, **how}
    return model.generate(**padded(*prompts), **settings)


def log_likelihoods(model: ChatGLMForCausalLM, tokens: list[int]) -> torch.Tensor:
    """Of every next token, from all tokens at once.  # (V,)"""
    return chatglm_reference.logits(model.state_dict(), model.config, tokens)[-1].log_softmax(-1)


def most_likely(model: ChatGLMForCausalLM, prompt: list[int], num_new: int = NUM_NEW) -> list[int]:
    tokens = list(prompt)
    for _ in range(num_new):
        tokens.append(int(log_likelihoods(model, tokens).argmax()))
    return tokens


@pytest.mark.parametrize("how", CACHES, ids=str)
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_greedy_takes_the_most_likely_token(model, prompt, how):
    assert generated(model, prompt, **how)[0].tolist() == most_likely(model, prompt)


@pytest.mark.parametrize("how", [*CACHES, {"num_beams": 3}], ids=str)
def test_a_left_padded_row_is_answered_as_if_alone(model, how):
    together = generated(model, *PROMPTS.values(), **how)
    for row, prompt in zip(together.tolist(), PROMPTS.values(), strict=True):
        assert row[-NUM_NEW:] == generated(model, prompt, **how)[0, -NUM_NEW:].tolist()


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_as_many_beams_as_tokens_find_the_likeliest_pair(model, prompt):
    vocabulary = range(model.config.vocab_size)
    first = log_likelihoods(model, prompt)
    second = {token: log_likelihoods(model, [*prompt, token]) for token in vocabulary}
    best = max(product(vocabulary, repeat=2), key=lambda pair: float(first[pair[0]] + second[pair[0]][pair[1]]))
    found = generated(model, prompt, num_beams=len(vocabulary), max_new_tokens=2)
    assert tuple(found[0, -2:].tolist()) == best


def likelihood(model: ChatGLMForCausalLM, prompt: list[int], answer: list[int]) -> float:
    parts = [log_likelihoods(model, [*prompt, *answer[:place]])[token] for place, token in enumerate(answer)]
    return float(sum(parts))


def test_beams_come_back_best_first_and_with_their_likelihoods(model):
    prompts = [PROMPTS["gmask"], PROMPTS["short"]]
    how = {"num_beams": 4, "num_return_sequences": 3, "max_new_tokens": 3, "return_dict_in_generate": True}
    found = generated(model, *prompts, output_scores=True, length_penalty=0.0, **how)
    assert found.sequences.shape == (2 * 3, 6 + 3)
    for group, prompt in enumerate(prompts):
        rows = slice(3 * group, 3 * group + 3)
        summed = [likelihood(model, prompt, answer) for answer in found.sequences[rows, -3:].tolist()]
        assert summed == sorted(summed, reverse=True)
        assert found.sequences_scores[rows].tolist() == pytest.approx(summed, abs=1e-4)


def test_sampling_is_repeated_by_its_seed_and_varied_by_another(model):
    def sampled(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return generated(model, *PROMPTS.values(), do_sample=True, temperature=3.0, top_k=0, num_return_sequences=4)

    first = sampled(1)
    assert first.shape == (3 * 4, 6 + NUM_NEW)
    assert torch.equal(sampled(1), first)
    assert not torch.equal(sampled(2), first)
    assert first[:, :6].tolist() == padded(*PROMPTS.values())["input_ids"].repeat_interleave(4, dim=0).tolist()
    assert len({tuple(row) for row in first[:4, 6:].tolist()}) > 1


def test_sampling_from_the_likeliest_token_alone_is_greedy(model):
    assert torch.equal(
        generated(model, *PROMPTS.values(), do_sample=True, top_k=1), generated(model, *PROMPTS.values())
    )


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("helper", ["itself", "another model", "the prompt"])
def test_guessed_tokens_change_no_answer(model, prompt, helper):
    helpers = {"itself": model, "another model": built(seed=1)}
    how = {"prompt_lookup_num_tokens": 2} if helper == "the prompt" else {"assistant_model": helpers[helper]}
    assert generated(model, prompt, **how)[0].tolist() == most_likely(model, prompt)


@pytest.mark.parametrize("prompts", [[PROMPTS["gmask"]], list(PROMPTS.values())], ids=["one", "padded"])
def test_an_answer_is_gone_on_with_from_its_cache(model, prompts):
    begun = generated(model, *prompts, max_new_tokens=4, return_dict_in_generate=True)
    mask = torch.nn.functional.pad(padded(*prompts)["attention_mask"], (0, 4), value=1)
    gone_on = model.generate(
        begun.sequences,
        attention_mask=mask,
        past_key_values=begun.past_key_values,
        max_new_tokens=2,
        do_sample=False,
        eos_token_id=NEVER,
    )
    assert torch.equal(gone_on, generated(model, *prompts))


def test_an_answer_ends_with_its_stop_token_and_is_padded(model):
    prompts = list(PROMPTS.values())
    answers = generated(model, *prompts)[:, -NUM_NEW:].tolist()
    stop = answers[0][1]
    for whole, cut in zip(answers, generated(model, *prompts, eos_token_id=stop)[:, 6:].tolist(), strict=True):
        end = whole.index(stop) + 1 if stop in whole else NUM_NEW
        assert cut == (whole[:end] + [PAD] * NUM_NEW)[: len(cut)]


def shapes(steps: tuple[tuple[torch.Tensor, ...], ...]) -> list[list[tuple[int, ...]]]:
    return [[tuple(layer.shape) for layer in step] for step in steps]


@pytest.mark.parametrize("use_cache", [True, False])
def test_what_is_returned_beside_the_tokens(use_cache):
    model = built()
    model.set_attn_implementation("eager")
    how = {"output_scores": True, "output_logits": True, "output_hidden_states": True, "output_attentions": True}
    found = generated(model, *PROMPTS.values(), use_cache=use_cache, return_dict_in_generate=True, **how)
    lengths = [(1 if use_cache and step else 6 + step, 6 + step) for step in range(NUM_NEW)]  # tokens read, tokens seen
    assert [tuple(scores.shape) for scores in found.scores] == [(3, 24)] * NUM_NEW
    assert all(torch.equal(scores, logits) for scores, logits in zip(found.scores, found.logits, strict=True))
    assert shapes(found.hidden_states) == [[(3, read, 32)] * 3 for read, _ in lengths]
    assert shapes(found.attentions) == [[(3, 2, read, seen)] * 2 for read, seen in lengths]
    assert (found.past_key_values is not None) == use_cache

"""P-Tuning v2 through the real loop and the real evaluation: inside ChatGLM-6B, and through PEFT in other models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import GlmForCausalLM

from instructglm.config.data import DataSettings
from instructglm.config.evaluation import EvaluationSettings
from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import PrefixTuning
from instructglm.core.errors import ModelError
from instructglm.core.progress import SilentProgress
from instructglm.core.records import Example, Message, Output
from instructglm.data.features import Feature
from instructglm.data.templates import template_for
from instructglm.evaluation.models import Arithmetic, predictors
from instructglm.evaluation.predict import Predictor, predict
from instructglm.models import load
from instructglm.serving.chat import Chat
from instructglm.training.batches import collate, flatten
from instructglm.training.loop import Setting, train
from instructglm.training.loss import arithmetic, weighted_nats
from instructglm.training.metrics_log import read_metrics
from instructglm.tuning import adapter_off, load_adapter
from instructglm.tuning.prefix import apply_prefix

CPU = torch.device("cpu")
TRAINING = TrainingSettings(
    num_train_epochs=8, batch_size=6, micro_batch_size=3, learning_rate=1.0, eval_steps=4, save_steps=4
)
EVALUATION = EvaluationSettings(max_new_tokens=8, max_new_tokens_closed=3, batch_size=8)
DATA = DataSettings.model_validate({"sources": [{"path": "a"}], "max_length": 200})
CLOSED = {
    "Is it good?": ("yes", "no"),
    "What is the weather like in the city on the hill?": ("sunny with clouds", "rain", "very windy"),
    "x": ("only this",),
}
OPEN = ["Tell me a joke.", "Hi", "Why is the sky blue at noon, and red in the evening?"]


def example(prompt: str, choices: tuple[str, ...] = (), output: str = "x") -> Example:
    return Example(
        id=prompt, task="closed" if choices else "open", messages=(Message(role="user", content=prompt),),
        choices=choices, outputs=(Output(text=choices[0] if choices else output),), group=prompt, row=f"a:{prompt}",
    )  # fmt: skip


EXAMPLES = [*(example(*item) for item in CLOSED.items()), *(example(prompt) for prompt in OPEN)]


@pytest.fixture(scope="module", params=["chatglm-tiny", "glm-tiny", "llama"])
def name(request) -> str:
    """What to load."""
    return str(request.getfixturevalue("tiny_model")) if request.param == "llama" else request.param


@pytest.fixture(params=[False, True], ids=["plain", "projected"])
def projection(request) -> bool:
    return request.param


def tune(name: str, seed: int = 5, dtype: torch.dtype | None = None, **settings):
    asked = PrefixTuning.model_validate({"method": "prefix", "num_virtual_tokens": 7} | settings)
    return apply_prefix(load(name, attn_implementation="eager")[0], asked, dtype=dtype or torch.float32, seed=seed)


def features(name: str, count: int = 18) -> list[Feature]:
    """Prompts of many lengths that all have one answer, so that a prefix alone can learn it."""
    template = template_for(load(name)[1])
    made = [example("a b c d e f g h"[: 1 + 2 * (number % 8)], output="Yes, of course.") for number in range(count)]
    return [
        Feature(one.id, template.context(one.messages), [template.output_ids(one.outputs[0].text)], [1.0])
        for one in made
    ]


def run(tuned, name: str, folder: Path, **settings):
    asked = TRAINING.model_copy(update=settings)
    found = features(name)
    return train(tuned, found, found[:6], asked, Setting(CPU, torch.float32, 0, 5), folder, SilentProgress())


def moved_far(tuned):
    """A prefix that changes answers, without the time to train one."""
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(torch.randn_like(weight))
    return tuned


def predictor_of(tuned, name: str) -> Predictor:
    return Predictor("tuned", tuned.model.eval(), template_for(load(name)[1]), CPU, torch.float32)


def base_of(name: str):
    """What a predictor takes beside its name."""
    model, tokenizer = load(name, attn_implementation="eager")
    return model, template_for(tokenizer), CPU, torch.float32


def answers(predictor: Predictor, **settings):
    return predict(predictor, EXAMPLES, EVALUATION.model_copy(update=settings), DATA, SilentProgress())


class TestTraining:
    def test_only_the_prefix_moves_the_loss_falls_and_what_is_saved_is_what_was_trained(
        self, name, projection, tmp_path
    ):
        tuned = tune(name, prefix_projection=projection)
        before = {key: weight.clone() for key, weight in tuned.model.named_parameters() if not weight.requires_grad}
        state = run(tuned, name, tmp_path)
        checks = [check.loss for check in state.watch.checks]
        assert checks[-1] < checks[0] - 0.1  # nats per token; layers of random weights make little of a prefix
        assert all("prefix_encoder" in key or "prompt_encoder" in key for key in tuned.trainable())
        after = dict(tuned.model.named_parameters())
        assert all(torch.equal(after[key], weight) for key, weight in before.items())

        tuned.save(tmp_path / tuned.name)
        found = predictors(EVALUATION, {"base", "tuned"}, name, tmp_path, Arithmetic(CPU, torch.float32, "eager"))
        made = {one.name: answers(one) for one in found}
        plain = Predictor("base", *base_of(name))
        assert made["base"] == answers(plain)
        for one, other in zip(made["tuned"], answers(predictor_of(tuned, name)), strict=True):
            assert one.text == other.text
            assert one.choice_logprobs == pytest.approx(other.choice_logprobs, abs=1e-4)
        assert made["tuned"] != made["base"]

    def test_a_run_that_died_ends_as_one_that_did_not_to_the_bit(self, name, tmp_path):
        """With the dropout that ChatGLM-6B has on its prefix."""
        whole, cut = tune(name), tune(name)
        run(whole, name, tmp_path / "whole", num_train_epochs=4)
        calls = iter(range(20))

        def die(*_):
            if next(calls, None) is None:
                raise MemoryError

        cut.model.register_forward_pre_hook(die)
        with pytest.raises(MemoryError):
            run(cut, name, tmp_path / "cut", num_train_epochs=4)
        again = tune(name)
        assert run(again, name, tmp_path / "cut", num_train_epochs=4).resumed_at == (8,)
        assert all(torch.equal(weight, whole.state()[key]) for key, weight in again.state().items())
        losses = [
            [
                value
                for line in read_metrics(tmp_path / one / "metrics.jsonl")
                for key, value in line.items()
                if "loss" in key
            ]
            for one in ("whole", "cut")
        ]
        assert losses[0] == losses[1]

    def test_a_padded_batch_has_the_loss_of_its_rows_one_by_one(self, name):
        tuned = moved_far(tune(name))
        sequences = flatten(features(name, 6))
        with torch.no_grad():
            together = weighted_nats(tuned.model.eval(), collate(sequences, 0))
            alone = [weighted_nats(tuned.model, collate([sequence], 0)) for sequence in sequences]
        torch.testing.assert_close(together, torch.stack(alone).sum(), atol=1e-4, rtol=1e-6)

    def test_in_bfloat16_the_loss_is_near(self, name, projection):
        exact, rounded = (tune(name, dtype=dtype, prefix_projection=projection) for dtype in (None, torch.bfloat16))
        batch = collate(flatten(features(name, 6)), 0)
        with torch.no_grad():
            expected = weighted_nats(exact.model.eval(), batch)
            with arithmetic(CPU, torch.bfloat16):
                found = weighted_nats(rounded.model.eval(), batch)
        torch.testing.assert_close(found, expected, rtol=0.01, atol=0)

    def test_gradient_checkpointing_changes_no_step_or_is_refused(self, name, tmp_path):
        tuned = tune(name)
        if isinstance(tuned.model, PeftModel):
            with pytest.raises(
                ModelError, match=r"training\.gradient_checkpointing is true, but tuning\.method"
            ) as caught:
                run(tuned, name, tmp_path, gradient_checkpointing=True)
            assert "micro_batch_size" in caught.value.hint
            return
        plain = tune(name)
        run(plain, name, tmp_path / "plain", max_steps=3)
        run(tuned, name, tmp_path / "checkpointed", max_steps=3, gradient_checkpointing=True)
        torch.testing.assert_close(dict(tuned.state()), dict(plain.state()), atol=1e-6, rtol=1e-5)

    def test_a_model_that_has_a_prefix_already_is_refused(self, tmp_path):
        tuned = tune("chatglm-tiny")
        tuned.model.save_pretrained(tmp_path)
        with pytest.raises(ModelError, match="a prefix of 7 tokens already") as caught:
            tune(str(tmp_path))
        assert "method: lora" in caught.value.hint


class TestDamaged:
    """What cannot be loaded is told with the folder and the next move, whoever wrote it."""

    def refusal(self, name: str, folder: Path) -> str:
        with pytest.raises(ModelError, match="damaged, or made for another model") as caught:
            load_adapter(load(name)[0], folder)
        assert str(folder) in str(caught.value)
        assert "run again to train anew" in caught.value.hint
        return str(caught.value)

    @pytest.mark.parametrize("other", ["chatglm-tiny", "glm-tiny"])
    def test_a_prefix_for_another_model(self, name, other, tmp_path):
        if name == other:
            name = "glm-tiny" if name == "chatglm-tiny" else "chatglm-tiny"
        tune(other).save(tmp_path / "adapter")
        self.refusal(name, tmp_path / "adapter")

    def test_a_prefix_for_another_depth(self, tmp_path):
        """Of which every single layer would fit."""
        tuned = tune("glm-tiny")
        tuned.save(tmp_path / "adapter")
        config = tuned.model.get_base_model().config
        config.num_hidden_layers = 3
        GlmForCausalLM(config).save_pretrained(tmp_path / "deeper")
        assert "for 2 layers, the model has 3" in self.refusal(str(tmp_path / "deeper"), tmp_path / "adapter")

    def test_weights_that_were_cut_off(self, name, tmp_path):
        tune(name).save(tmp_path / "adapter")
        weights = next((tmp_path / "adapter").glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:-100])
        self.refusal(name, tmp_path / "adapter")

    def test_an_empty_folder(self, tmp_path):
        assert "no weights" in self.refusal("chatglm-tiny", tmp_path)


def full_logits(predictor: Predictor, ids: list[int]) -> torch.Tensor:
    """One forward pass over one row without padding or cache."""
    with torch.no_grad():
        return predictor.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def plain_logprob(predictor: Predictor, one: Example, choice: str) -> float:
    context = predictor.template.context(one.messages).input_ids
    answer = predictor.template.output_ids(choice)[:-1]
    logprobs = full_logits(predictor, context + answer).log_softmax(-1)
    return sum(float(logprobs[len(context) + place - 1, token]) for place, token in enumerate(answer))


def plain_answer(predictor: Predictor, one: Example, limit: int) -> list[int]:
    """Greedy, everything read again for each token."""
    context, answer = predictor.template.context(one.messages).input_ids, []
    while len(answer) < limit and not {*answer} & {*predictor.stop_ids}:
        answer.append(int(full_logits(predictor, context + answer)[-1].argmax()))
    return answer


def generated(predictor: Predictor, one: Example, limit: int) -> list[int]:
    """By the model's own `generate`: PEFT's, where it is PEFT's prefix."""
    ids = torch.tensor([predictor.template.context(one.messages).input_ids])
    made = predictor.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False,
        eos_token_id=predictor.stop_ids, pad_token_id=predictor.template.stop_id,
    )  # fmt: skip
    return made[0, ids.shape[1] :].tolist()


@pytest.fixture(scope="module")
def predictor(name) -> Predictor:
    return predictor_of(moved_far(tune(name)), name)


class TestEvaluation:
    def test_choices_are_scored_as_by_one_full_forward_pass_each(self, predictor):
        for one, made in zip(EXAMPLES, answers(predictor), strict=True):
            expected = [plain_logprob(predictor, one, choice) for choice in one.choices]
            assert made.choice_logprobs == pytest.approx(expected, abs=1e-4), one.id

    @pytest.mark.parametrize("how", [plain_answer, generated])
    @pytest.mark.parametrize("batch_size", [1, 8])
    def test_answers_are_those_of_full_forward_passes_and_of_generate(self, predictor, how, batch_size):
        for one, made in zip(EXAMPLES, answers(predictor, batch_size=batch_size), strict=True):
            ids = how(predictor, one, 3 if one.choices else 8)
            assert made.num_tokens == len(ids), one.id
            assert made.text == predictor.template.answer_text(
                [token for token in ids if token not in predictor.stop_ids]
            )

    def test_the_prefix_is_what_answers(self, predictor, name):
        with_it = answers(predictor)
        with adapter_off(predictor.model):
            without = answers(predictor)
        assert without == answers(Predictor("tuned", *base_of(name)))
        assert with_it != without
        assert answers(predictor) == with_it

    def test_chat_answers_as_generate_does(self, predictor):
        messages = (Message(role="user", content="Tell me more."),)
        pieces = "".join(Chat(predictor, iter(())).stream(messages, 9))
        ids = generated(predictor, example("Tell me more."), 9)
        decode = predictor.template.tokenizer.decode
        assert pieces == decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

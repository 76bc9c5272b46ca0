"""What must not change the result: micro-batches, padding, a merge, a start at zero."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load
from instructglm.training.batches import collate, flatten, micro_batches
from instructglm.training.loop import Setting, train
from instructglm.training.loss import weighted_count, weighted_nats
from instructglm.training.metrics_log import read_metrics
from instructglm.tuning import METHODS

PAD = 0
CPU = Setting(torch.device("cpu"), torch.float32, PAD, seed=3)
METHOD_SETTINGS = [FullTuning(method="full"), FreezeTuning(method="freeze", num_layers=1), LoraTuning(rank=4)]


def features(count: int = 12, seed: int = 0) -> list[Feature]:
    """Prompts of unequal length with one to three outputs."""
    generator = torch.Generator().manual_seed(seed)

    def ids(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (), generator=generator))
        return torch.randint(5, 4000, (length,), generator=generator).tolist()

    made = []
    for index in range(count):
        outputs = [ids(1, 6) for _ in range(1 + index % 3)]
        made.append(Feature(str(index), Encoded.untrained(ids(3, 20)), outputs, [1 / len(outputs)] * len(outputs)))
    return made


def tuned(folder, settings, seed=3):
    model, _ = load(folder)
    return METHODS[settings.method](model, settings, dtype=torch.float32, seed=seed)


def run(folder, tmp_path, settings, *, packed=False, **training):
    """Train once; the losses, the gradient norms and the final weights."""
    chosen = TrainingSettings(
        **{"num_train_epochs": 2, "batch_size": 8, "micro_batch_size": 8, "learning_rate": 1e-2, "early_stopping": None}
        | training
    )
    moved = tuned(folder, settings)
    data = features()
    if packed:
        moved.model.set_attn_implementation("shared_prefix")
    train(moved, data, data[:3], chosen, replace(CPU, packed=packed), tmp_path, SilentProgress())
    lines = [line for line in read_metrics(tmp_path / "metrics.jsonl") if "grad_norm" in line]
    return [line["train_loss_nats_per_token"] for line in lines], [line["grad_norm"] for line in lines], moved.state()


@pytest.mark.parametrize("settings", METHOD_SETTINGS, ids=lambda settings: settings.method)
@pytest.mark.parametrize("micro", [1, 3])
def test_micro_batch_size_changes_nothing(tiny_model, tmp_path, settings, micro):
    # Adam divides by the root of the second moment: with its usual epsilon, a gradient that is all but zero moves a
    # weight by the sign of its rounding. A larger one leaves the law to be seen.
    calm = {"adam_epsilon": 1e-3}
    losses, norms, weights = run(tiny_model, tmp_path / "whole", settings, **calm)
    other_losses, other_norms, other_weights = run(
        tiny_model, tmp_path / "cut", settings, micro_batch_size=micro, **calm
    )
    assert len(losses) == 4  # 12 prompts, 8 a step, 2 epochs
    assert losses[-1] < losses[0]
    assert_close(losses, other_losses, rtol=1e-5, atol=1e-6)
    assert_close(norms, other_norms, rtol=1e-4, atol=1e-6)
    assert_close(weights, other_weights, rtol=0, atol=1e-5)


@pytest.mark.parametrize("settings", METHOD_SETTINGS, ids=lambda settings: settings.method)
@pytest.mark.parametrize("micro", [2, 64])
def test_packing_changes_nothing(tiny_model, tmp_path, settings, micro):
    calm = {"adam_epsilon": 1e-3}  # see above
    losses, norms, weights = run(tiny_model, tmp_path / "padded", settings, **calm)
    packed = run(tiny_model, tmp_path / "packed", settings, packed=True, micro_batch_size=micro, **calm)
    assert_close(losses, packed[0], rtol=1e-5, atol=1e-6)
    assert_close(norms, packed[1], rtol=1e-4, atol=1e-6)
    assert_close(weights, packed[2], rtol=0, atol=1e-5)


def gradients(model, batches) -> tuple[float, dict[str, torch.Tensor]]:
    """Of one step's loss, summed over its forward passes."""
    total = weighted_count(batches)
    loss = sum(backward(weighted_nats(model, batch) / total) for batch in batches)
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad(set_to_none=True)
    return loss, found


def backward(loss: torch.Tensor) -> float:
    loss.backward()
    return loss.item()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("limits", [{"size": 1}, {"size": 3}, {"max_tokens": 1}, {"max_tokens": 50}])
def test_forward_passes_of_any_size_sum_to_the_same_loss_and_gradients(tiny_model, packed, limits):
    model = load(tiny_model)[0].double()  # so that what is left is the loss in float32
    if packed:
        model.set_attn_implementation("shared_prefix")
    whole = micro_batches(features(), None, PAD, packed=packed)
    cut = micro_batches(features(), limits.get("size"), PAD, packed=packed, max_tokens=limits.get("max_tokens"))
    assert (len(whole), len(cut) > 2) == (1, True)
    (loss, expected), (other, found) = gradients(model, whole), gradients(model, cut)
    assert other == pytest.approx(loss, rel=1e-6)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        apart = torch.linalg.vector_norm(found[name] - gradient) / torch.linalg.vector_norm(gradient)
        assert apart < 1e-6, name


@pytest.mark.parametrize("packed", [True, False])
def test_steps_of_tokens_train_alike_packed_or_padded_and_in_any_pass(tiny_model, tmp_path, packed):
    by_tokens = {"batch_size": None, "tokens_per_batch": 120, "adam_epsilon": 1e-3}
    by_tokens |= {"num_train_epochs": 3, "micro_batch_size": None}
    losses, norms, weights = run(tiny_model, tmp_path / "whole", LoraTuning(rank=4), **by_tokens)
    other = run(tiny_model, tmp_path / "cut", LoraTuning(rank=4), packed=packed, tokens_per_micro_batch=40, **by_tokens)
    assert losses[-1] < losses[0]
    assert_close(losses, other[0], rtol=1e-5, atol=1e-6)
    assert_close(norms, other[1], rtol=1e-4, atol=1e-6)
    assert_close(weights, other[2], rtol=0, atol=1e-5)
    read = [line for line in read_metrics(tmp_path / "whole" / "metrics.jsonl") if "grad_norm" in line]
    assert read[-1]["epoch"] == 3
    counted = [line for line in read_metrics(tmp_path / "cut" / "metrics.jsonl") if "grad_norm" in line]
    if packed:
        assert all(line["num_input_tokens"] <= 120 for line in counted)
        assert sum(line["num_input_tokens"] for line in counted) == 3 * sum(one.num_tokens for one in features())


def test_loss_does_not_depend_on_padding_side_or_length(tiny_model):
    model, _ = load(tiny_model)
    sequences = flatten(features())
    expected = sum(weighted_nats(model, collate([pair], PAD)).item() for pair in sequences)
    longest = max(sequences, key=lambda pair: len(pair[0].input_ids))
    for side in ("left", "right"):
        whole = collate(sequences, PAD, side=side)
        assert weighted_nats(model, whole).item() == pytest.approx(expected, rel=1e-5)
        for pair in sequences[:4]:
            alone = weighted_nats(model, collate([pair], PAD)).item()
            padded = weighted_nats(model, collate([pair, longest], PAD, side=side)).item()
            both = padded - weighted_nats(model, collate([longest], PAD)).item()
            assert both == pytest.approx(alone, rel=1e-4, abs=1e-4)


def test_loss_equals_the_plain_definition(tiny_model):
    """Against transformers' own loss on one sequence: mean negative log-likelihood of the labels."""
    model, _ = load(tiny_model)
    for encoded, _ in flatten(features()):
        batch = collate([(encoded, 1.0)], PAD)
        ours = weighted_nats(model, batch).item() / weighted_count([batch])
        ids = torch.tensor([encoded.input_ids])
        theirs = model(input_ids=ids, labels=torch.tensor([encoded.labels])).loss.item()
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_prompt_counts_once_however_many_outputs_it_has():
    one = Feature("a", Encoded.untrained([5, 6]), [[7, 8]], [1.0])
    three = Feature("b", Encoded.untrained([5, 6]), [[7, 8], [9, 8], [10, 8]], [1 / 3] * 3)
    for packed in (True, False):
        assert weighted_count(micro_batches([one], 4, PAD, packed=packed)) == pytest.approx(2.0)
        assert weighted_count(micro_batches([three], 2, PAD, packed=packed)) == pytest.approx(2.0)


def test_lora_at_its_start_is_the_base(tiny_model):
    base, _ = load(tiny_model)
    ids = torch.randint(5, 4000, (2, 17))
    with torch.no_grad():
        before = base(input_ids=ids).logits
        adapted = METHODS["lora"](base, LoraTuning(), dtype=torch.float32, seed=1).model.eval()
        after = adapted(input_ids=ids).logits
    assert torch.equal(before, after)


def test_merged_equals_unmerged(tiny_model, tmp_path):
    model, _ = load(tiny_model)
    moved = METHODS["lora"](model, LoraTuning(rank=4), dtype=torch.float32, seed=1)
    settings = TrainingSettings(num_train_epochs=2, batch_size=8, learning_rate=1e-2, early_stopping=None)
    train(moved, features(), [], settings, CPU, tmp_path, SilentProgress())
    ids = torch.randint(5, 4000, (2, 17))
    with torch.no_grad():
        adapted = moved.model.eval()(input_ids=ids).logits
        with moved.model.disable_adapter():
            base = moved.model(input_ids=ids).logits
        merged = moved.model.merge_and_unload()(input_ids=ids).logits
    assert (adapted - base).abs().max() > 1e-3  # something was learnt
    assert_close(merged, adapted, rtol=1e-5, atol=1e-5)


def test_adapter_off_is_the_base_to_the_bit(tiny_model, tmp_path):
    base, _ = load(tiny_model)
    moved = tuned(tiny_model, LoraTuning(rank=4))
    settings = TrainingSettings(num_train_epochs=1, batch_size=8, learning_rate=1e-2, early_stopping=None)
    train(moved, features(), [], settings, CPU, tmp_path, SilentProgress())
    ids = torch.randint(5, 4000, (2, 17))
    with torch.no_grad(), moved.model.disable_adapter():
        assert torch.equal(moved.model.eval()(input_ids=ids).logits, base(input_ids=ids).logits)


@pytest.mark.parametrize("settings", METHOD_SETTINGS, ids=lambda settings: settings.method)
def test_saved_and_loaded_again_is_equal(tiny_model, tmp_path, settings):
    from instructglm.config.evaluation import EvaluationSettings
    from instructglm.evaluation.models import Arithmetic, predictors

    moved = tuned(tiny_model, settings)
    training = TrainingSettings(num_train_epochs=1, batch_size=8, learning_rate=1e-2, early_stopping=None)
    train(moved, features(), [], training, CPU, tmp_path / "run", SilentProgress())
    moved.save(tmp_path / "run" / moved.name)
    if moved.name == "model":
        load(tiny_model)[1].save_pretrained(tmp_path / "run" / moved.name)
    cpu = Arithmetic(CPU.device, CPU.dtype, "sdpa")
    opened = predictors(EvaluationSettings(), {"tuned"}, str(tiny_model), tmp_path / "run", cpu)
    ids = torch.randint(5, 4000, (2, 17))
    with torch.no_grad():
        expected = moved.model.eval()(input_ids=ids).logits
        assert torch.equal(next(opened).model(input_ids=ids).logits, expected)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "constant_with_warmup", "polynomial"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_step_has_a_learning_rate_above_zero(tiny_model, tmp_path, schedule, steps):
    moved = tuned(tiny_model, LoraTuning(rank=2))
    settings = TrainingSettings(
        max_steps=steps, batch_size=4, micro_batch_size=4, lr_scheduler_type=schedule, warmup_ratio=0.3
    )
    train(moved, features(), [], settings, CPU, tmp_path, SilentProgress())
    rates = [line["learning_rate"] for line in read_metrics(tmp_path / "metrics.jsonl")]
    assert len(rates) == steps
    assert all(0 < rate <= settings.learning_rate for rate in rates)
    assert max(rates) == pytest.approx(settings.learning_rate, rel=0.5)

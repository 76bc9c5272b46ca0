"""Figures told before a run are those of the run: parameters, bytes that stay, tokens and steps."""

from __future__ import annotations

import pytest
import tiny_chatglm
import torch

from instructglm.config.model import Quantization
from instructglm.config.training import TrainingSettings
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning
from instructglm.core.errors import ModelError
from instructglm.core.progress import SilentProgress
from instructglm.data.features import Feature
from instructglm.data.templates import Encoded
from instructglm.models.loading import load, outline
from instructglm.models.quantization import loading_in_few_bits
from instructglm.training.distributed.fleet import Fleet
from instructglm.training.distributed.ranks import Ranks
from instructglm.training.estimate import Case, estimate
from instructglm.training.loop import Setting, train
from instructglm.training.optimizers import make_optimizer
from instructglm.training.packing import set_packed
from instructglm.training.plan import make_plan
from instructglm.training.workload import dealt, largest_batch, passes, workload
from instructglm.tuning import METHODS

CPU = torch.device("cpu")
TUNINGS = [
    LoraTuning(rank=4),
    FullTuning(method="full"),
    FreezeTuning(method="freeze", num_layers=1, train_head=True),
    PrefixTuning(method="prefix", num_virtual_tokens=8),
    PrefixTuning(method="prefix", num_virtual_tokens=8, prefix_projection=True),
]
SETTINGS = TrainingSettings(batch_size=4, micro_batch_size=3, num_train_epochs=2.5, early_stopping=None)
BY_TOKENS = {"batch_size": None, "micro_batch_size": None, "tokens_per_batch": 90, "tokens_per_micro_batch": 60}
UNLIMITED = {"micro_batch_size": None, "tokens_per_micro_batch": 10_000}
by_method = pytest.mark.parametrize("tuning", TUNINGS, ids=lambda tuning: tuning.method)


def features(count: int = 11, end: tuple[int, ...] = ()) -> list[Feature]:
    """Prompts of unequal length with one to three outputs; in every third prompt an earlier answer is trained."""
    generator = torch.Generator().manual_seed(0)

    def ids(length: int) -> list[int]:
        return torch.randint(20, 120, (length,), generator=generator).tolist()

    made = []
    for number in range(count):
        context = [*ids(9 + 5 * number % 17), *end]
        labels = [-100] * len(context) if number % 3 else [-100, *context[1:4], *[-100] * (len(context) - 4)]
        outputs = [ids(2 + number % 4) for _ in range(1 + number % 3)]
        made.append(
            Feature(str(number), Encoded(context, labels, len(context)), outputs, [1 / len(outputs)] * len(outputs))
        )
    return made


def case(path, tuning, settings: TrainingSettings = SETTINGS, dtype=torch.float32, **changes) -> Case:
    chosen = {"max_length": 64, "may_be_packed": True, "loading_dtype": dtype, "quantization": None} | changes
    return Case(
        outline=lambda: outline(path, attn_implementation="sdpa"),
        tuning=tuning,
        training=settings,
        device=CPU,
        dtype=dtype,
        seed=3,
        pad_id=0,
        **chosen,
    )


@by_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["tiny", "chatglm-tiny"])
def test_what_stays_for_the_whole_run_is_foretold_to_the_byte(tiny_model, name, tuning, dtype):
    path = tiny_model if name == "tiny" else name
    told = estimate(case(path, tuning, dtype=dtype), None)
    tuned = METHODS[tuning.method](load(path)[0], tuning, dtype=dtype, seed=3)
    weights = tuned.trainable().values()
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer = make_optimizer(tuned, SETTINGS)
    optimizer.step()
    states = [state for kept in optimizer.state.values() for name, state in kept.items() if name != "step"]
    assert told.num_trainable_parameters == tuned.num_trainable()
    assert told.num_parameters == tuned.num_parameters()
    assert told.memory.gradients == sum(weight.grad.nbytes for weight in weights)
    assert told.memory.optimizer == sum(state.nbytes for state in states)
    buffers = sum(buffer.nbytes for buffer in tuned.model.buffers())
    assert told.memory.weights == sum(weight.nbytes for weight in tuned.model.parameters()) + buffers
    assert told.missing == {}


@pytest.mark.parametrize("tuning", [LoraTuning(rank=1), FullTuning(method="full")], ids=["thin", "full"])
def test_of_two_ddp_processes_each_has_all_and_gradients_twice(tiny_model, tuning):
    alone, one = (estimate(case(tiny_model, tuning, fleet=fleet), features()) for fleet in (Fleet(), Fleet("ddp", 2)))
    assert (one.memory.weights, one.memory.optimizer) == (alone.memory.weights, alone.memory.optimizer)
    assert one.memory.gradients == 2 * alone.memory.gradients
    assert one.memory.activations < alone.memory.activations  # of half a step
    assert one.memory.total > 0
    assert (one.strategy, one.num_processes, alone.strategy, alone.num_processes) == ("ddp", 2, None, 1)
    assert one.device_memory == alone.device_memory // 2  # they share what a CPU has
    assert one.workload == alone.workload


@pytest.mark.parametrize("tuning", [LoraTuning(rank=1), FullTuning(method="full")], ids=["thin", "full"])
def test_of_fsdp_processes_each_has_its_part_and_what_is_not_known_is_named(tiny_model, tuning):
    """Rows are dealt out: of a matrix of one row, the first process has all."""
    told = estimate(case(tiny_model, tuning, fleet=Fleet("fsdp", 3)), features())
    tuned = METHODS[tuning.method](load(tiny_model)[0], tuning, dtype=torch.float32, seed=3)
    first = [weight.chunk(3)[0].nbytes for weight in tuned.model.parameters()]
    moving = [weight.chunk(3)[0].nbytes for weight in tuned.trainable().values()]
    assert told.memory.weights == sum(first) + sum(buffer.nbytes for buffer in tuned.model.buffers())
    assert told.memory.gradients == sum(moving)
    assert told.memory.optimizer == 2 * sum(moving)
    assert told.memory.activations > 0
    assert told.memory.step is told.memory.validation is told.memory.total is None
    assert list(told.missing) == ["memory.step"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("changes", [{"batch_size": 9}, BY_TOKENS | {"tokens_per_batch": 180}])
def test_no_process_gets_a_larger_pass_than_was_told(packed, changes):
    settings = SETTINGS.model_copy(update=changes)
    rows = features(40)
    told = largest_batch(rows, settings, 0, packed=packed, num_processes=2).input_ids.numel()
    plan = make_plan([row.num_tokens for row in rows], settings, 3)
    dealt_out = [
        batch.input_ids.numel()
        for step in range(plan.num_steps)
        for rank in (0, 1)
        if (mine := dealt([rows[index] for index in plan.indices(step)], Ranks(rank, 2)))
        for batch in passes(mine, settings, 0, packed=packed)
    ]
    assert max(dealt_out) <= told * 1.1
    assert told < largest_batch(rows, settings.model_copy(update=UNLIMITED), 0, packed=packed).input_ids.numel()


@pytest.mark.parametrize("tuning", [LoraTuning(rank=4), LoraTuning(rank=4, use_dora=True, loraplus_lr_ratio=8.0)])
@pytest.mark.parametrize("twice", [True, False], ids=["double", "single"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "chatglm"])
def test_weights_of_four_bits_are_foretold_to_the_byte(tiny_model, tmp_path, family, dtype, twice, tuning):
    pytest.importorskip("bitsandbytes")
    if family == "chatglm":
        tiny_chatglm.build(hidden_size=64, inner_hidden_size=128).save_pretrained(tmp_path)  # blocks of 64
    place = tiny_model if family == "llama" else tmp_path
    bits = Quantization(bnb_4bit_use_double_quant=twice)
    told = estimate(case(place, tuning, dtype=dtype, quantization=bits), None)
    model, _ = load(place, **loading_in_few_bits(bits, dtype, CPU))
    tuned = METHODS["lora"](model, tuning, dtype=dtype, seed=3)
    assert (told.num_parameters, told.num_trainable_parameters) == (tuned.num_parameters(), tuned.num_trainable())
    kept = [*tuned.model.parameters(), *tuned.model.buffers()]
    states = [weight.quant_state for weight in tuned.model.parameters() if hasattr(weight, "quant_state")]
    for state in [*states, *(state.state2 for state in states if state.state2)]:
        kept += [part for part in (state.absmax, state.code, state.offset) if part is not None]
    assert len(states) > 7
    assert told.memory.weights == sum(tensor.nbytes for tensor in kept)
    assert told.memory.weights < told.memory.loading < 4 * told.num_parameters
    assert told.memory.activations is told.memory.total is None
    assert "--probe measures one" in told.missing["memory.activations"]


@pytest.mark.parametrize("changes", [{"torch_compile": True}, {"optimizer": "adafactor"}, {"optimizer": "adamw_8bit"}])
@pytest.mark.parametrize("tuning", [LoraTuning(rank=4, use_rslora=True), LoraTuning(rank=4, use_dora=True)])
def test_variants_of_lora_optimizers_and_a_compiler_are_told_whole(tiny_model, changes, tuning):
    told = estimate(case(tiny_model, tuning, SETTINGS.model_copy(update=changes)), features())
    assert told.missing == {}
    assert told.memory.activations > 0
    tuned = METHODS["lora"](load(tiny_model)[0], tuning, dtype=torch.float32, seed=3)
    assert told.num_trainable_parameters == tuned.num_trainable()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_train_epochs": 3.0},
        {"max_steps": 2},
        {"batch_size": 64},
        BY_TOKENS,
        BY_TOKENS | {"num_train_epochs": 3.0},
        BY_TOKENS | {"max_steps": 2},
        BY_TOKENS | {"tokens_per_batch": 4096},
    ],
)
def test_tokens_and_steps_are_those_of_a_real_run(tiny_model, tmp_path, packed, changes):
    settings = SETTINGS.model_copy(update=changes)
    rows = features()
    tuned = METHODS["lora"](load(tiny_model)[0], TUNINGS[0], dtype=torch.float32, seed=3)
    if packed:
        assert set_packed(tuned, rows, CPU, torch.float32, otherwise="sdpa") is None
    setting = Setting(CPU, torch.float32, 0, seed=3, packed=packed)
    state = train(tuned, rows, [], settings, setting, tmp_path, SilentProgress())
    told = workload(rows, settings, 3, packed=packed)
    assert told.num_steps == state.step
    assert told.num_input_tokens == state.num_input_tokens
    assert told.num_trained_tokens == state.num_trained_tokens
    assert (told.num_prompts, told.num_sequences) == (11, sum(len(one.outputs) for one in rows))
    if state.step > told.num_steps_per_epoch:
        plan = make_plan([one.num_tokens for one in rows], settings, 3)
        first = [index for step in range(told.num_steps_per_epoch) for index in plan.indices(step)]
        assert sorted(first) == list(range(11))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {"micro_batch_size": 1},
        {"micro_batch_size": 3},
        {"micro_batch_size": 7},
        {"micro_batch_size": 64},
        {"micro_batch_size": 64, "tokens_per_micro_batch": 50},
        BY_TOKENS,
        BY_TOKENS | {"tokens_per_micro_batch": 1},
        BY_TOKENS | {"tokens_per_batch": 200},
        BY_TOKENS | {"micro_batch_size": 3},
    ],
)
def test_no_pass_of_any_step_is_larger_than_the_largest(packed, changes):
    rows = features(40)
    settings = SETTINGS.model_copy(update=changes)
    largest = largest_batch(rows, settings, 0, packed=packed).input_ids.numel()
    for seed in range(5):
        plan = make_plan([one.num_tokens for one in rows], settings, seed)
        for step in range(plan.num_steps):
            for batch in passes([rows[index] for index in plan.indices(step)], settings, 0, packed=packed):
                assert batch.input_ids.numel() <= largest


def test_rows_are_supposed_packed_where_the_model_may_be(tiny_model):
    packed = estimate(case(tiny_model, TUNINGS[0]), features())
    assert packed.packed
    assert packed.num_rows == 1
    padded = estimate(case(tiny_model, TUNINGS[0], may_be_packed=False), features())
    assert not padded.packed
    assert padded.workload.num_input_tokens > packed.workload.num_input_tokens
    assert not estimate(case(tiny_model, TUNINGS[3]), features()).packed  # a prefix in the cache


def test_without_data_memory_is_that_of_the_longest_rows_and_the_rest_is_missing(tiny_model):
    told = estimate(case(tiny_model, TUNINGS[0], may_be_packed=False), None, missing={"data": "nowhere"})
    assert told.workload is None
    assert told.missing == {"data": "nowhere"}
    assert (told.num_rows, told.num_row_tokens) == (3, 64)
    assert told.memory.total > estimate(case(tiny_model, TUNINGS[0], may_be_packed=False), features()).memory.total


def test_without_data_a_budget_of_tokens_decides_how_many_rows_there_are(tiny_model):
    settings = SETTINGS.model_copy(update=BY_TOKENS | {"tokens_per_batch": 200, "tokens_per_micro_batch": 160})
    padded = estimate(case(tiny_model, TUNINGS[0], settings, may_be_packed=False), None)
    assert (padded.num_rows, padded.num_row_tokens) == (2, 64)
    packed = estimate(case(tiny_model, TUNINGS[0], settings), None)
    assert (packed.num_rows, packed.num_row_tokens) == (1, 128)
    short = settings.model_copy(update={"tokens_per_batch": 40})  # longer prompts would be left out
    assert estimate(case(tiny_model, TUNINGS[0], short), None).num_row_tokens == 40


def test_what_cannot_be_played_through_is_missing_and_not_zero(tiny_model, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("it asks its tensors for numbers\nat length")

    monkeypatch.setattr("instructglm.training.estimate.rehearse", refuse)
    told = estimate(case(tiny_model, TUNINGS[0]), features())
    why = "a pass cannot be played through without numbers: it asks its tensors for numbers"
    assert told.missing == {"memory.activations": why}
    assert told.memory.activations is None
    assert told.memory.total is None
    assert told.memory.weights > 0


def test_settings_that_a_run_would_refuse_are_refused(tiny_model):
    settings = SETTINGS.model_copy(update={"gradient_checkpointing": True})
    with pytest.raises(ModelError, match=r"training\.gradient_checkpointing is true, but"):
        estimate(case(tiny_model, TUNINGS[3], settings), None)
    with pytest.raises(ModelError, match=r"tuning\.num_layers is 9, but the model has 2 layers"):
        estimate(case(tiny_model, FreezeTuning(method="freeze", num_layers=9)), None)


def test_chatglm_6b_is_foretold_from_its_config_alone(shared_tokenizers):
    """The parameters of its LoRA are those that PEFT's own examples print; memory grows with the rows alone."""
    lora = LoraTuning(rank=8, targets="query_key_value")
    settings = SETTINGS.model_copy(update={"gradient_checkpointing": True})
    told = estimate(case(shared_tokenizers / "chatglm-6b", lora, settings, torch.bfloat16, max_length=512), None)
    assert told.missing == {}
    assert told.num_trainable_parameters == 3_670_016
    assert told.num_parameters == 6_173_286_400 + 3_670_016
    assert told.memory.weights == 2 * 6_173_286_400 + 4 * 3_670_016
    layer_inputs = 28 * 3 * 512 * 4096 * 2
    assert layer_inputs < told.memory.activations < 2 * layer_inputs

"""A prefix put in front of a loaded model, taken away, and read from the folders in which prefixes are found."""

from __future__ import annotations

import copy
import json

import chatglm_reference
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_chatglm import build, padded, prompt
from transformers import GlmConfig, GlmForCausalLM

from instructglm.core.errors import ModelError
from instructglm.models import load
from instructglm.models.chatglm.prefix import PrefixEncoder, config_with_prefix
from instructglm.models.chatglm.prefix_files import load_prefix, save_prefix

ENCODER = "transformer.prefix_encoder."
ROW = [*prompt(9), 11, 12, 13]
SHAPES = pytest.mark.parametrize("projection", [False, True], ids=["plain", "projected"])


def trained(projection=False, num_tokens=5, **settings):
    """A model whose prefix was put in front of it after it was made."""
    model = build(**settings)
    torch.manual_seed(1)
    model.transformer.set_prefix(PrefixEncoder(config_with_prefix(model.config, num_tokens, projection)))
    return model


def logits(model, row=ROW):
    with torch.no_grad():
        return model(input_ids=torch.tensor([row])).logits[0]


def prefix_of(model) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in model.state_dict().items() if name.startswith(ENCODER)}


def as_official(model, folder, config=None):
    """What the official trainer leaves: tensors in pytorch_model.bin, and the config with everything in it."""
    torch.save(prefix_of(model), folder / "pytorch_model.bin")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal but for the last bit, in which a small product may differ by where in memory its numbers lie."""
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


class TestInFront:
    @SHAPES
    def test_is_the_reference_with_this_prefix(self, projection):
        model = trained(projection)
        assert (model.config.pre_seq_len, model.config.prefix_projection) == (5, projection)
        expected = chatglm_reference.logits(model.state_dict(), model.config, ROW)
        torch.testing.assert_close(logits(model), expected, atol=1e-4, rtol=0)

    @SHAPES
    def test_is_the_model_that_a_config_with_a_prefix_makes(self, projection):
        model = trained(projection)
        made = build(pre_seq_len=5, prefix_projection=projection)
        assert set(made.state_dict()) == set(model.state_dict())
        made.load_state_dict(model.state_dict())
        same(logits(made), logits(model))

    def test_off_it_is_the_base_to_the_bit_and_on_again_the_same_as_before(self):
        base, model = logits(build()), trained()
        before = logits(model)
        with model.transformer.prefix_off():
            assert torch.equal(logits(model), base)
            batch = padded([prompt(9), prompt(4)])
            answers = model.generate(**batch, max_new_tokens=5, do_sample=False)
        assert torch.equal(answers, build().generate(**batch, max_new_tokens=5, do_sample=False))
        assert not torch.allclose(before, base, atol=1e-2)
        assert torch.equal(logits(model), before)

    def test_it_comes_back_after_an_error(self):
        model = trained()
        before = logits(model)
        with pytest.raises(ModelError), model.transformer.prefix_off():
            logits(model, [7, 8])
        assert torch.equal(logits(model), before)

    def test_dropout_is_on_in_training_only(self):
        model = trained()
        assert torch.equal(logits(model), logits(model))
        model.train()
        assert not torch.equal(logits(model), logits(model))

    def test_gradients_reach_every_weight_of_the_prefix(self):
        model = trained(projection=True).train()
        model.requires_grad_(False)
        model.transformer.prefix_encoder.requires_grad_(True)
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
        model(input_ids=torch.tensor([ROW]), labels=torch.tensor([ROW])).loss.backward()
        assert all(weight.grad.abs().sum() > 0 for weight in model.transformer.prefix_encoder.parameters())


class TestSaved:
    @SHAPES
    def test_saved_and_loaded_into_the_base_gives_equal_logits(self, projection, tmp_path):
        model, again = trained(projection), build()
        save_prefix(model, tmp_path / "adapter")
        generator = torch.get_rng_state()
        load_prefix(again, tmp_path / "adapter")
        assert torch.equal(torch.get_rng_state(), generator)
        same(logits(again), logits(model))
        assert all(torch.equal(weight, prefix_of(model)[name]) for name, weight in prefix_of(again).items())
        with again.transformer.prefix_off():
            same(logits(again), logits(build()))

    def test_the_folder_holds_the_prefix_alone_with_its_shape_setting(self, tmp_path):
        save_prefix(trained(projection=True), tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json"}
        names = {"embedding.weight", "trans.0.weight", "trans.0.bias", "trans.2.weight", "trans.2.bias"}
        assert set(load_file(tmp_path / "model.safetensors")) == {ENCODER + name for name in names}
        assert json.loads((tmp_path / "config.json").read_text()) == {"pre_seq_len": 5, "prefix_projection": True}

    def test_of_a_model_without_one_nothing_is_written(self, tmp_path):
        with pytest.raises(ModelError, match="no prefix to save"):
            save_prefix(build(), tmp_path / "adapter")
        assert not (tmp_path / "adapter").exists()

    @SHAPES
    def test_a_whole_model_with_a_prefix_is_saved_and_loaded_as_one(self, projection, tmp_path):
        model = trained(projection)
        model.save_pretrained(tmp_path, max_shard_size="40KB")
        again, tokenizer = load(tmp_path, attn_implementation="eager")
        assert tokenizer is None
        same(logits(again), logits(model))


class TestOfficialCheckpoints:
    @SHAPES
    @pytest.mark.parametrize("told", ["its own", "of the base", "without projection", "none"])
    def test_load_whatever_the_config_says_or_leaves_out(self, told, projection, tmp_path):
        model = trained(projection)
        own = model.config.to_dict()
        configs = {
            "its own": own,
            "of the base": own | {"pre_seq_len": None, "prefix_projection": False},
            "without projection": {key: value for key, value in own.items() if key != "prefix_projection"},
            "none": None,
        }
        again = build()
        load_prefix(again, as_official(model, tmp_path, configs[told]))
        assert (again.config.pre_seq_len, again.config.prefix_projection) == (5, projection)
        same(logits(again), logits(model))

    def test_half_precision_becomes_float32(self, tmp_path):
        half = {name: weight.half() for name, weight in prefix_of(trained()).items()}
        save_file(half, tmp_path / "model.safetensors")
        model = build()
        load_prefix(model, tmp_path)
        weight = model.transformer.prefix_encoder.embedding.weight
        assert weight.dtype == torch.float32
        assert torch.equal(weight, half[ENCODER + "embedding.weight"].float())

    def test_a_file_of_before_torch_1_6(self, tmp_path):
        model, again = trained(), build()
        torch.save(prefix_of(model), tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
        load_prefix(again, tmp_path)
        same(logits(again), logits(model))

    def test_it_replaces_the_prefix_that_the_model_has(self, tmp_path):
        model, other = trained(num_tokens=3), trained(num_tokens=7, projection=True)
        load_prefix(model, as_official(other, tmp_path))
        same(logits(model), logits(other))

    @pytest.mark.parametrize("whole", ["model.safetensors", "pytorch_model.bin"])
    def test_of_a_whole_model_only_the_prefix_is_read_and_the_rest_is_told(self, whole, tmp_path):
        model, again = trained(seed=3), build()
        if whole == "pytorch_model.bin":
            torch.save(dict(model.state_dict()), tmp_path / whole)
        else:
            model.save_pretrained(tmp_path)
        with pytest.warns(UserWarning, match=r"only the prefix is read; \d\d other weights are left to the base"):
            load_prefix(again, tmp_path)
        assert all(torch.equal(weight, prefix_of(model)[name]) for name, weight in prefix_of(again).items())
        with again.transformer.prefix_off():
            same(logits(again), logits(build()))


class TestRefused:
    @pytest.fixture
    def base(self):
        """Must be as it was after every refusal."""
        model = build()
        before = copy.deepcopy(model.config.to_dict())
        yield model
        assert model.config.to_dict() == before
        assert model.transformer.prefix_encoder is None

    def refusal(self, model, folder) -> ModelError:
        with pytest.raises(ModelError) as caught:
            load_prefix(model, folder)
        assert str(folder) in str(caught.value)
        assert caught.value.hint
        return caught.value

    def test_a_folder_that_is_not_there(self, base, tmp_path):
        assert "no such folder" in str(self.refusal(base, tmp_path / "none"))

    def test_a_prefix_for_a_model_of_another_size_names_every_tensor(self, base, tmp_path):
        wider = trained(projection=True, hidden_size=64, num_layers=2)
        told = str(self.refusal(base, as_official(wider, tmp_path, wider.config.to_dict())))
        assert "embedding.weight found [5, 64], expected [5, 48]" in told
        assert "trans.2.weight found [256, 64], expected [288, 48]" in told
        assert told.count("found [") == 5
        assert "a base of 3 layers and hidden_size 48" in told

    def test_a_setting_that_belongs_to_another_prefix_is_told_with_all_that_follows(self, base, tmp_path):
        """The two that were parted: weights with a projection, a config without, and another length."""
        model = trained(projection=True)
        config = model.config.to_dict() | {"pre_seq_len": 9, "prefix_projection": False}
        told = str(self.refusal(base, as_official(model, tmp_path, config)))
        assert "pre_seq_len 9 and prefix_projection false" in told
        assert "embedding.weight found [5, 48], expected [9, 288]" in told
        assert "4 weights are not known to this model: trans.0.bias" in told

    @pytest.mark.parametrize(
        "setting", [{"pre_seq_len": "5"}, {"pre_seq_len": -5}, {"pre_seq_len": 5, "prefix_projection": "no"}]
    )
    def test_a_setting_of_the_wrong_kind(self, base, tmp_path, setting):
        assert "config.json: p" in str(self.refusal(base, as_official(trained(), tmp_path, setting)))

    def test_weights_without_a_prefix(self, base, tmp_path):
        build().save_pretrained(tmp_path)
        assert "no prefix: none of its" in str(self.refusal(base, tmp_path))

    def test_a_folder_without_weights(self, base, tmp_path):
        assert "no weights" in str(self.refusal(base, tmp_path))

    @pytest.mark.parametrize("content", ["{", "[1]"])
    def test_a_damaged_config(self, base, tmp_path, content):
        folder = as_official(trained(), tmp_path)
        (folder / "config.json").write_text(content)
        assert "config.json" in str(self.refusal(base, folder))

    def test_a_file_that_holds_more_than_tensors(self, base, tmp_path):
        torch.save({ENCODER + "embedding.weight": torch.zeros(5, 288), "code": print}, tmp_path / "pytorch_model.bin")
        assert "more than tensors" in str(self.refusal(base, tmp_path))

    def test_a_file_that_was_cut_off(self, base, tmp_path):
        save_prefix(trained(), tmp_path)
        whole = (tmp_path / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
        assert "cut off" in str(self.refusal(base, tmp_path))

    def test_a_model_of_another_family(self, tmp_path):
        save_prefix(trained(), tmp_path)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
        other = GlmForCausalLM(GlmConfig(vocab_size=64, intermediate_size=32, head_dim=16, pad_token_id=0, **sizes))
        assert "the model is a GlmForCausalLM" in str(self.refusal(other, tmp_path))

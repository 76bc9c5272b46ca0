"""transformers' own suites for a causal language model, run on our ChatGLM-6B.

`LEFT_OUT` is the whole list of what does not run, with the reason. See `their_tests` for where the suites come from
and how to run the part that only a git checkout holds.
"""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers.models.auto import modeling_auto

from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM, ChatGLMModel

from .held import held_to
from .left_out import LEFT_OUT, MAY_PASS, ONLY_IN_CHECKOUTS
from .their_tests import is_whole, load

ModelTesterMixin: Any = load("test_modeling_common").ModelTesterMixin
GenerationTesterMixin: Any = load("generation.test_utils").GenerationTesterMixin
ConfigTester: Any = load("test_configuration_common").ConfigTester

SMALL: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_layers": 2,
    "num_attention_heads": 4,
    "inner_hidden_size": 64,
    "max_sequence_length": 256,
    "pad_token_id": 3,
    "mask_token_id": 4,  # low ids: some tests cut the end of the vocabulary off
    "gmask_token_id": 5,
    "bos_token_id": 6,
    "eos_token_id": 7,
}
FIRST_ORDINARY = 10
CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
PINNED = re.search(r"^transformers==(.+)$", CONSTRAINTS.read_text(), re.MULTILINE)[1]


class ChatGLMTester:
    """What the suites ask a model's author for: a small configuration, and inputs that the model understands."""

    batch_size, seq_length, num_context = 7, 12, 6  # the context includes [gMASK] and ends before <sop>
    is_training = True
    hidden_size, num_attention_heads, num_hidden_layers = 32, 4, 2

    def get_config(self) -> ChatGLMConfig:
        return ChatGLMConfig(**SMALL)

    def prepare_config_and_inputs_for_common(self) -> tuple[ChatGLMConfig, dict[str, torch.Tensor]]:
        """Prompts that end in [gMASK] <sop>, with the beginning of an answer; some are padded on the left."""
        config = self.get_config()
        ids = torch.randint(FIRST_ORDINARY, config.vocab_size, (self.batch_size, self.seq_length))
        ids[:, self.num_context - 1] = config.gmask_token_id
        ids[:, self.num_context] = config.bos_token_id
        padding = torch.arange(self.batch_size)[:, None] % 3
        mask = torch.arange(self.seq_length) >= padding
        return config, {"input_ids": ids.masked_fill(~mask, config.pad_token_id), "attention_mask": mask.long()}


@held_to(LEFT_OUT, MAY_PASS)
class ChatGLMTest(ModelTesterMixin, GenerationTesterMixin, unittest.TestCase):
    all_model_classes = (ChatGLMModel, ChatGLMForCausalLM)
    test_can_init_all_missing_weights_before_2023 = True  # or it is left to recent models

    @pytest.fixture(autouse=True)
    def _is_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many tests ask these lists what kind of model a class is, and test less where they do not know it."""
        monkeypatch.setitem(modeling_auto.MODEL_MAPPING_NAMES, "chatglm", "ChatGLMModel")
        monkeypatch.setitem(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, "chatglm", "ChatGLMForCausalLM")

    @pytest.fixture(autouse=True)
    def _is_in_one_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One test starts pytest once more to keep an accelerator's state apart; without one it need not."""
        if not torch.cuda.is_available():
            monkeypatch.setenv("_INSIDE_SUB_PROCESS", "1")

    def setUp(self) -> None:
        torch.manual_seed(0)
        self.model_tester = ChatGLMTester()

    def test_inputs_embeds_matches_input_ids(self) -> None:
        _, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        context = inputs["attention_mask"][:, : ChatGLMTester.num_context].sum(dim=1)
        super().test_inputs_embeds_matches_input_ids(context_length=context, mask_position=context - 1)

    if is_whole():

        def test_prepare_inputs_for_generation_kwargs_forwards(self) -> None:
            layout = {"context_length": torch.tensor([1, 1]), "mask_position": torch.tensor([0, 0])}
            super().test_prepare_inputs_for_generation_kwargs_forwards(**layout)

    def _get_custom_4d_mask_test_data(self) -> tuple[torch.Tensor, ...]:
        """Three answers that differ in their last token, apart and in one row; the context is [gMASK] alone."""
        context = [SMALL["gmask_token_id"], SMALL["bos_token_id"], 12]
        apart = torch.tensor([[*context, last] for last in (13, 14, 15)])
        sees = torch.ones(6, 6).tril()
        sees[4, 3] = sees[5, 3] = sees[5, 4] = 0
        mask = (1 - sees)[None, None] * torch.finfo(torch.float32).min
        in_one_row = torch.tensor([[*context, 13, 14, 15]])
        return apart, torch.arange(4).expand(3, 4), in_one_row, mask, torch.tensor([[0, 1, 2, 3, 3, 3]])


class ChatGLMConfigTest(unittest.TestCase):
    def test_config(self) -> None:
        ConfigTester(self, config_class=ChatGLMConfig, **SMALL).run_common_tests()


def test_every_test_that_is_left_out_exists() -> None:
    if transformers.__version__ != PINNED:
        pytest.skip(f"other releases than the pinned {PINNED} have other tests")
    expected = set(LEFT_OUT) if is_whole() else set(LEFT_OUT) - ONLY_IN_CHECKOUTS
    assert sorted(expected - set(dir(ChatGLMTest))) == []

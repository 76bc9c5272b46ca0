"""Chat: the same greedy answers as plain generation, piece by piece, from the run that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instructglm.config.experiment import Experiment
from instructglm.config.loading import to_yaml
from instructglm.config.tuning import LoraTuning
from instructglm.core.errors import InstructGLMError, RunError
from instructglm.core.files import write_text
from instructglm.core.records import Message
from instructglm.core.workspace import Workspace
from instructglm.data.templates import template_for
from instructglm.evaluation.predict import Predictor
from instructglm.models.chatglm.configuration import ChatGLMConfig
from instructglm.models.chatglm.modeling import ChatGLMForCausalLM
from instructglm.models.loading import load
from instructglm.serving.chat import Chat, open_chat, repaired
from instructglm.tuning import METHODS

HELLO = (Message(role="user", content="Hello, 你好?"),)
DIALOGUE = (*HELLO, Message(role="assistant", content="Hi."), Message(role="user", content="And you?"))


@pytest.fixture(scope="module")
def out(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a run whose adapter moved far from its start."""
    out = tmp_path_factory.mktemp("out")
    run = Workspace(out).run("a", "123")
    model = {"name_or_path": str(tiny_model), "dtype": "float32", "device": "cpu"}
    experiment = Experiment.model_validate({"name": "a", "model": model, "data": {"sources": [{"path": "a"}]}})
    tuned = METHODS["lora"](load(tiny_model)[0], LoraTuning(rank=2), dtype=torch.float32, seed=1)
    with torch.no_grad():
        for weight in tuned.trainable().values():
            weight.add_(torch.full_like(weight, 0.05))
    tuned.save(run / "adapter")
    write_text(run / "experiment.yaml", to_yaml(experiment))
    write_text(run / "run.json", "{}")
    Workspace(out).note("run", run)
    return out


@pytest.fixture(scope="module")
def tuned(out: Path) -> Chat:
    return open_chat(out)


@pytest.fixture(scope="module")
def base(out: Path) -> Chat:
    return open_chat(out, base=True)


def plain(chat: Chat, messages, limit: int) -> str:
    template = chat.predictor.template
    ids = torch.tensor([template.context(messages).input_ids])
    made = chat.predictor.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False,
        eos_token_id=template.stop_id, pad_token_id=template.stop_id,
    )  # fmt: skip
    answer = made[0, ids.shape[1] :]
    text = template.tokenizer.decode(answer, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return template.repaired(text)


@pytest.mark.parametrize("messages", [HELLO, DIALOGUE], ids=["one turn", "three turns"])
def test_pieces_joined_are_plain_greedy_generation(tuned, messages):
    pieces = list(tuned.stream(messages, 20))
    assert len(pieces) > 1
    assert "".join(pieces) == plain(tuned, messages, 20)


def test_chatglm_answers_every_turn_from_the_whole_conversation(chatglm_tokenizer):
    """No cache outlives an answer: what was said becomes part of the context that is read both ways."""
    torch.manual_seed(0)
    config = ChatGLMConfig(hidden_size=32, num_layers=2, num_attention_heads=2, inner_hidden_size=64)
    model = ChatGLMForCausalLM(config).eval()
    template = template_for(chatglm_tokenizer)
    chat = Chat(Predictor("tiny", model, template, torch.device("cpu"), torch.float32), iter(()))
    first = "".join(chat.stream(HELLO, 8))
    second = "".join(chat.stream(DIALOGUE, 8))
    assert (first, second) == (plain(chat, HELLO, 8), plain(chat, DIALOGUE, 8))


@given(st.lists(st.sampled_from([",", "?", " ", "中", "a", "\n", "[[训练时间]]", "[[", "训练", "时间]]"]), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_however_an_answer_is_cut_its_pieces_joined_are_repaired(chatglm_tokenizer, pieces):
    template = template_for(chatglm_tokenizer)
    assert "".join(repaired(pieces, template)) == template.repaired("".join(pieces))
    assert "".join(repaired("".join(pieces), template)) == template.repaired("".join(pieces))  # one by one


def test_what_needs_no_repair_is_shown_at_once(embedded_tokenizer):
    assert list(repaired(["a", " b", "，"], template_for(embedded_tokenizer))) == ["a", " b", "，", ""]


def test_base_is_the_model_without_its_adapter(tiny_model, base, tuned):
    untouched, _ = load(tiny_model)
    ids = torch.tensor([base.predictor.template.context(HELLO).input_ids])
    with torch.no_grad():
        expected = untouched(input_ids=ids).logits
        assert torch.equal(base.predictor.model(input_ids=ids).logits, expected)
        assert not torch.equal(tuned.predictor.model(input_ids=ids).logits, expected)


def test_a_run_folder_opens_as_well_as_the_folder_above(out, tuned):
    run = out / Workspace(out).read_latest().run
    assert "".join(open_chat(run).stream(HELLO, 8)) == "".join(tuned.stream(HELLO, 8))


def test_a_conversation_beyond_what_the_model_holds_is_refused_with_the_next_move(tuned):
    long = (Message(role="user", content="很长 " * 400),)
    with pytest.raises(RunError, match=r"tokens.*512") as caught:
        next(tuned.stream(long, 5))
    assert "/reset" in caught.value.hint


def test_a_folder_without_a_run_is_refused_with_the_next_move(tmp_path):
    with pytest.raises(InstructGLMError, match="no finished run here") as caught:
        open_chat(tmp_path)
    assert "instructglm run" in caught.value.hint


def test_a_folder_with_only_a_dataset_is_refused_with_the_next_move(tmp_path):
    Workspace(tmp_path).note("dataset", tmp_path / "datasets" / "a")
    with pytest.raises(RunError, match="nothing trained here yet") as caught:
        open_chat(tmp_path)
    assert "instructglm train" in caught.value.hint


def test_a_failure_while_answering_is_not_swallowed(out):
    chat = open_chat(out)
    chat.predictor.model.generate = lambda **settings: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(chat.stream(HELLO, 5))

"""A run, or a model as it is, that writes several answers: drafts of outputs, and new instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from instructglm.config.evaluation import EvaluationSettings, OtherModel
from instructglm.core.errors import RunError
from instructglm.core.ids import content_hash, file_hash
from instructglm.core.records import Message
from instructglm.evaluation.models import ADAPTER, WHOLE, Arithmetic, predictors
from instructglm.evaluation.predict import Predictor
from instructglm.models.fingerprint import model_fingerprint
from instructglm.models.hardware import choose_attention, choose_device, choose_dtype
from instructglm.models.window import window
from instructglm.serving.chat import open_chat, run_folder

_USUAL_LENGTH = 1024  # tokens: what attention is chosen for where no experiment says


class Written(NamedTuple):
    """One answer. `num_tokens` counts the stop token too; without one, the answer was cut for length."""

    text: str
    num_tokens: int
    is_cut: bool


class Sampling(NamedTuple):
    """How tokens are drawn; at temperature 0 the likeliest is taken."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Speaker:
    """A model with the template it was trained in. `name` says which weights, by a hash of them."""

    name: str
    predictor: Predictor
    source: Iterator[Predictor]
    """Held open for as long as the predictor is used."""
    system: str = ""

    def context(self, messages: Sequence[Message]) -> list[int]:
        """The ids after which the model answers; its system message stands before a conversation without one."""
        has_own = any(message.role == "system" for message in messages)
        before = [Message(role="system", content=self.system)] if self.system and not has_own else []
        return self.predictor.template.context([*before, *messages]).input_ids

    def has_room(self, context: Sequence[int], max_new_tokens: int) -> bool:
        """Whether the model reads as much as this context and an answer."""
        limit = window(self.predictor.model)
        return limit is None or len(context) + max_new_tokens <= limit

    def require_room(self, context: Sequence[int], max_new_tokens: int) -> None:
        """Refuse what leaves no room for an answer.

        Raises:
            RunError: context and answer are longer than the model reads.
        """
        if not self.has_room(context, max_new_tokens):
            raise RunError(
                f"the prompt has {len(context)} tokens and the answer may have {max_new_tokens}; "
                f"this model reads {window(self.predictor.model)}",
                hint="Lower --max-new-tokens, or give the model less to read.",
            )

    @torch.no_grad()
    def write(self, context: Sequence[int], num: int, seed: int, sampling: Sampling) -> list[Written]:
        """`num` answers to one context, drawn together; the seed alone decides them, not what was drawn before."""
        device, drawn = self.predictor.device, sampling.temperature > 0
        ids = torch.tensor([list(context)] * num, device=device)  # (num, T)
        settings = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0} if drawn else {}
        with torch.random.fork_rng([device] if device.type == "cuda" else []), self.predictor.arithmetic():
            torch.manual_seed(seed)
            made = self.predictor.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=sampling.max_new_tokens,
                do_sample=drawn,
                eos_token_id=self.predictor.stop_ids,
                pad_token_id=self.predictor.template.stop_id,
                **settings,
            )
        return [self._written(row) for row in made[:, ids.shape[1] :].tolist()]

    def _written(self, tokens: Sequence[int]) -> Written:
        stops = self.predictor.stop_ids
        end = next((place for place, token in enumerate(tokens) if token in stops), None)
        text = self.predictor.template.answer_text(tokens[:end])
        return Written(text, len(tokens) if end is None else end + 1, end is None)


def open_speaker(run_or_model: str) -> Speaker:
    """The tuned model of a run (its folder, or the `--out` folder above), or any model by folder, hub id or `embedded`.

    Raises:
        RunError: nothing was trained in the folder.
        ModelError: there is no such model.
    """
    folder = Path(run_or_model).expanduser()
    if folder.is_dir() and not (folder / "config.json").exists():
        return _of_run(folder)
    return _of_model(run_or_model)


def _of_run(folder: Path) -> Speaker:
    run = run_folder(folder)
    chat = open_chat(run)
    return Speaker(f"{run.resolve().name}@{_weights_hash(run)}", chat.predictor, chat.source, chat.system)


def _weights_hash(run: Path) -> str:
    """What names a run's weights: all of an adapter, or of a whole model what `model_fingerprint` reads."""
    if (run / WHOLE).is_dir():
        return content_hash(model_fingerprint(run / WHOLE))
    files = sorted(file for file in (run / ADAPTER).rglob("*") if file.is_file())
    return content_hash({str(file.relative_to(run)): file_hash(file) for file in files})


def _of_model(name_or_path: str) -> Speaker:
    device = choose_device()
    setting = Arithmetic(device, choose_dtype("auto", device), choose_attention("auto", device, _USUAL_LENGTH))
    settings = EvaluationSettings(models=[OtherModel(name="model", name_or_path=name_or_path)])
    source = predictors(settings, {"model"}, name_or_path, Path("no run"), setting)
    predictor = next(source)
    folder = Path(name_or_path).expanduser()
    shown = folder.resolve().name if folder.is_dir() else name_or_path  # where it lies says nothing of what it is
    return Speaker(f"{shown}@{content_hash(model_fingerprint(name_or_path))}", predictor, source)

"""Talk with a tuned model, or with its base, in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import torch
from transformers import TextIteratorStreamer

from instructglm.config.evaluation import BASE, TUNED
from instructglm.config.experiment import Experiment
from instructglm.config.loading import load_experiment
from instructglm.core.errors import RunError
from instructglm.core.records import Message
from instructglm.core.workspace import Workspace
from instructglm.data.templates import Template
from instructglm.evaluation.models import arithmetic_of, predictors
from instructglm.evaluation.predict import Predictor
from instructglm.models.window import window


@dataclass(frozen=True)
class Chat:
    """A model that answers conversations piece by piece, with the template it was trained in."""

    predictor: Predictor
    source: Iterator[Predictor]
    """Held open: when it closes, it undoes what made the base model out of the tuned one."""
    system: str = ""
    """Sent before every conversation: the system message of the training data, where all of it has the same."""

    def stream(self, messages: Sequence[Message], max_new_tokens: int = 256) -> Iterator[str]:
        """The greedy answer to a conversation, as it is made.

        Every answer reads its conversation anew: with ChatGLM-6B, earlier
        answers become part of the context that is read both ways, and what a
        cache holds of them is no longer true.

        Raises:
            RunError: the conversation is longer than the model was tuned for.
        """
        template = self.predictor.template
        before = [Message(role="system", content=self.system)] if self.system else []
        context = template.context([*before, *messages]).input_ids
        limit = self._limit()
        if limit is not None and len(context) + max_new_tokens > limit:
            raise RunError(
                f"the conversation has {len(context)} tokens and the answer may have {max_new_tokens}; "
                f"this model holds {limit}",
                hint="Begin a new one with /reset, or lower --max-new-tokens.",
            )
        # Without clean-up: a blank that is shown cannot be taken back when a comma follows.
        streamer = TextIteratorStreamer(
            template.tokenizer, skip_prompt=True, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        failures: list[Exception] = []
        worker = Thread(target=self._generate, args=(context, max_new_tokens, streamer, failures), daemon=True)
        worker.start()
        yield from repaired(streamer, template)
        worker.join()
        for failure in failures:
            raise failure

    def _limit(self) -> int | None:
        return window(self.predictor.model)

    def _generate(
        self, context: list[int], max_new_tokens: int, streamer: TextIteratorStreamer, failures: list[Exception]
    ) -> None:
        ids = torch.tensor([context], device=self.predictor.device)
        try:
            with torch.no_grad(), self.predictor.arithmetic():
                self.predictor.model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=max_new_tokens,
                    do_sample=False,
                    eos_token_id=self.predictor.stop_ids,
                    pad_token_id=self.predictor.template.stop_id,
                    streamer=streamer,
                )
        except Exception as failure:  # raised again where the answer is read
            failures.append(failure)
        finally:
            streamer.end()  # or the reader would wait for ever


def repaired(pieces: Iterable[str], template: Template) -> Iterator[str]:
    """The pieces of the repaired answer, each as soon as what follows cannot change it."""
    whole, num_shown = "", 0
    for piece in pieces:
        whole += piece
        text = template.repaired(whole)
        sure = max(num_shown, len(text) - template.repair_reach)
        yield text[num_shown:sure]
        num_shown = sure
    yield template.repaired(whole)[num_shown:]


def open_chat(folder: Path, *, base: bool = False) -> Chat:
    """The model of the last run under an `--out` folder, or of a run folder itself.

    Raises:
        RunError: there is no finished run.
    """
    run = run_folder(folder)
    experiment = load_experiment(run / "experiment.yaml")
    wanted = BASE if base else TUNED
    opened = predictors(experiment.evaluation, {wanted}, experiment.model.name_or_path, run, arithmetic_of(experiment))
    return Chat(next(opened), opened, _system(experiment))


def _system(experiment: Experiment) -> str:
    systems = {source.system for source in experiment.data.sources}
    return (systems.pop() or "") if len(systems) == 1 else ""


def run_folder(folder: Path) -> Path:
    """A run folder itself, or the last run under an `--out` folder.

    Raises:
        RunError: nothing was trained there.
    """
    if (folder / "run.json").exists():
        return folder
    latest = Workspace(folder).read_latest()
    if latest.run is None:
        raise RunError(
            f"{folder}: nothing trained here yet", hint="Run `instructglm run` or `instructglm train` first."
        )
    return folder / latest.run

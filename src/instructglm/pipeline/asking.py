"""A local model in the place of an endpoint, for new instructions."""

from __future__ import annotations

from collections.abc import Sequence

from instructglm.annotation.collecting.expanding import Ask
from instructglm.annotation.collecting.replies import Reply
from instructglm.core.records import Message
from instructglm.pipeline.speakers import Sampling, Speaker, open_speaker


def local_asker(run_or_model: str, *, temperature: float, max_new_tokens: int) -> tuple[str, Ask]:
    """The model's name with its hash, and what asks it.

    Raises:
        RunError: nothing was trained in the folder.
        ModelError: there is no such model.
    """
    speaker = open_speaker(run_or_model)
    return speaker.name, asker(speaker, Sampling(temperature, max_new_tokens=max_new_tokens))


def asker(speaker: Speaker, sampling: Sampling) -> Ask:
    """Asks a model that is open: one reply to a conversation, which the seed decides."""

    def ask(messages: Sequence[Message], seed: int) -> Reply:
        context = speaker.context(messages)
        speaker.require_room(context, sampling.max_new_tokens)
        (written,) = speaker.write(context, 1, seed, sampling)
        counts = {"num_prompt_tokens": len(context), "num_tokens": written.num_tokens}
        return Reply(text=written.text, is_cut=written.is_cut, **counts)

    return ask

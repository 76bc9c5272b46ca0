"""One spelling of the same text: line ends, invisible characters, outer blanks."""

from __future__ import annotations

import re
import unicodedata

from instructglm.core.ledger import Ledger, LedgerEntry
from instructglm.core.records import Example, Message, example_id, prompt_hash

# Zero-width and byte-order marks: they look like nothing and make equal texts unequal. The
# zero-width joiner stays, because emoji and several scripts are spelled with it.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def normalise_text(text: str) -> str:
    r"""The text with `\n` line ends, without invisible characters and outer blanks, in composed form (NFC).

    Full-width letters and Chinese punctuation stay as they are: they are text.

    >>> normalise_text("\ufeff one\r\ntwo  ")
    'one\ntwo'
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    return unicodedata.normalize("NFC", _CONTROL.sub("", lines)).strip()


def normalise(examples: list[Example], ledger: Ledger) -> list[Example]:
    """Every text of every example normalised; an example of which nothing is left is noted as empty."""
    kept = []
    for example in examples:
        clean = _normalised(example)
        if not any(message.content for message in clean.messages if message.role == "user"):
            ledger.drop(example.row, "empty", "the prompt holds only blanks or invisible characters", task=example.task)
        elif not clean.outputs:
            ledger.drop(example.row, "empty", "the outputs hold only blanks or invisible characters", task=example.task)
        else:
            _note_blank_outputs(example, clean, ledger)
            kept.append(clean)
    return kept


def _note_blank_outputs(example: Example, clean: Example, ledger: Ledger) -> None:
    for _ in range(len(example.outputs) - len(clean.outputs)):
        detail = "one of its outputs holds only blanks or invisible characters"
        ledger.add(LedgerEntry(row=example.row, reason="empty", detail=detail, action="cut", task=example.task))


def _normalised(example: Example) -> Example:
    messages = tuple(
        Message(role=message.role, content=normalise_text(message.content)) for message in example.messages
    )
    outputs = (output.model_copy(update={"text": normalise_text(output.text)}) for output in example.outputs)
    by_prompt = example.group == prompt_hash(example.messages)
    return example.model_copy(
        update={
            "id": example_id(example.task, messages),
            "messages": messages,
            "outputs": tuple(output for output in outputs if output.text),
            "choices": tuple(normalise_text(choice) for choice in example.choices),
            "group": prompt_hash(messages) if by_prompt else example.group,
        }
    )

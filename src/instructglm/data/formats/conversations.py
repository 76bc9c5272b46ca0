"""Small talk in YAML, as the chatterbot-corpus package has it.

    categories: [food]
    conversations:
    - - Do you drink?
      - Only electricity.

The first utterance of a conversation is the prompt and the second its answer.
What comes later cannot be used: in some files it is the next turn, in others
one more answer to the first utterance, and nothing in a file says which. Each
conversation so cut stands in the ledger. Several answers to one prompt are written as
several conversations, which the build merges into one example.

Utterances are taken as they are written: `- Yes` is the text Yes, not true.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from instructglm.config.data import RowSource
from instructglm.core.errors import DataError
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Fault, Message
from instructglm.data.encodings import text_encoding
from instructglm.data.formats.fields import Fields
from instructglm.data.formats.format import Result
from instructglm.data.records import Row, describe
from instructglm.data.text_files import MAX_ROW_BYTES, require_file

_SHAPE = "a YAML object with `conversations`: a list of lists of utterances"


def read_file(path: Path, shown: str, source: RowSource, task: str) -> Iterator[Result]:
    """Read the conversations of one file; each is named by the line it starts in.

    Raises:
        DataError: the file as a whole cannot be read, or has no list of conversations.
    """
    entries = _entries(_compose(path, shown), shown)
    conversations = entries.get("conversations")
    if not isinstance(conversations, yaml.SequenceNode):
        raise DataError(f"{shown}: no list `conversations`; expected {_SHAPE}")
    categories = _texts(entries.get("categories"))
    for index, node in enumerate(conversations.value):
        yield from _read(node, f"{shown}:{_line(node)}", f"conversations[{index}]", categories, source, task)


def _compose(path: Path, shown: str) -> yaml.Node | None:
    require_file(path, shown)
    if (num_bytes := path.stat().st_size) > MAX_ROW_BYTES:
        raise DataError(
            f"{shown}: found {num_bytes / 2**20:.0f} MiB of YAML; expected at most {MAX_ROW_BYTES >> 20} MiB",
            hint="Cut it into several files, or write its rows as JSON lines.",
        )
    text = path.read_text(encoding=text_encoding(path, shown))
    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        raise _wrong_yaml(error, shown) from error


def _wrong_yaml(error: Exception, shown: str) -> DataError:
    mark = getattr(error, "problem_mark", None)
    place = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    return DataError(
        f"{place}: wrong YAML: {getattr(error, 'problem', None) or error}",
        hint="A text with a colon, a quote or a dash in it needs quotes around it.",
    )


def _entries(root: yaml.Node | None, shown: str) -> dict[str, yaml.Node]:
    if not isinstance(root, yaml.MappingNode):
        found = f"starts with {_describe(root)}" if root else "holds nothing"
        raise DataError(f"{shown}: {found}; expected {_SHAPE}")
    return {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}


def _read(
    node: yaml.Node, place: str, field: str, categories: tuple[str, ...], source: RowSource, task: str
) -> Iterator[Result]:
    wrong = _not_a_conversation(node)
    if wrong:
        yield Fault(row=place, field=field, found=wrong, expected="a list of utterances: a prompt and its answer")
        return
    prompt, answer, *later = _texts(node)
    fields = Fields(Row(place, {"answer": answer}))
    yield from fields.result(
        source,
        task,
        [Message(role="user", content=prompt)],
        fields.outputs("answer"),
        prompt_field=f"{field}[0]",
        output_field=f"{field}[1]",
        metadata={"categories": list(categories)} if categories else None,
    )
    if later:
        detail = f"{field}[2:]: {len(later)} later utterances: next turns or more answers, the file does not say which"
        yield LedgerEntry(row=place, reason="unused", detail=detail, action="cut", task=task)


def _not_a_conversation(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.SequenceNode):
        return _describe(node)
    wrong = next((child for child in node.value if not isinstance(child, yaml.ScalarNode)), None)
    if wrong is not None:
        return f"{_describe(wrong)} as an utterance, in line {_line(wrong)}"
    return f"a list of {len(node.value)}" if len(node.value) < 2 else None


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return describe(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "an object"


def _texts(node: yaml.Node | None) -> tuple[str, ...]:
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    return tuple(child.value for child in children if isinstance(child, yaml.ScalarNode))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1

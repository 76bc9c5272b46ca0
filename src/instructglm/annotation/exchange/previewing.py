"""What an import would store, before it does."""

from __future__ import annotations

from collections.abc import Iterable

from instructglm.annotation.exchange.importing import Source, read_sources
from instructglm.annotation.store.importing import known_prompts
from instructglm.annotation.store.incoming import NewInstruction
from instructglm.annotation.store.store import Store
from instructglm.core.records import Fault, Record

_EXAMPLES = 3


class Preview(Record):
    """What was found in files: `num_instructions` prompts in `num_records` good records, of which `num_new` are new.

    Outputs and answers are counted as they stand there; those that the project
    has already are not stored again. `examples` are the first of the prompts.
    Of `num_faults` and `num_differing`, `faults` and `differing` are the first;
    `num_leftovers` are things that the store has no place for.
    """

    formats: dict[str, str]
    num_records: int
    num_instructions: int
    num_new: int
    num_outputs: int
    num_answers: int
    num_leftovers: int
    examples: tuple[NewInstruction, ...]
    num_faults: int
    faults: tuple[Fault, ...]
    num_differing: int
    differing: tuple[Fault, ...]


def preview_rows(store: Store, project: int, sources: Iterable[Source], *, num_shown: int = 20) -> Preview:
    """What `import_rows` would find in these files; nothing is stored.

    Raises:
        DataError: a file is in no known format or could be in several.
        ConfigError: a source names a format that is none.
    """
    found = read_sources(sources)
    with store.read() as connection:
        known = known_prompts(connection, project, list(found.prompts.by_key))
    held, brought = list(found.prompts.by_key.values()), [one.entry for one in found.brought]
    return Preview(
        formats=found.formats,
        num_records=found.prompts.num_records,
        num_instructions=len(held),
        num_new=sum(prompt.key not in known for prompt in held),
        num_outputs=sum(len(prompt.outputs) for prompt in held) + sum(len(entry.outputs) for entry in brought),
        num_answers=sum(len(entry.answers) for entry in brought),
        num_leftovers=len(found.leftovers),
        examples=tuple(prompt.held for prompt in held[:_EXAMPLES]),
        num_faults=len(found.faults),
        faults=tuple(found.faults[:num_shown]),
        num_differing=len(found.prompts.differing),
        differing=tuple(found.prompts.differing[:num_shown]),
    )

"""An example as the model sees it, with the trained tokens marked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instructglm.data.preview import Preview

_COLOUR = ("\033[30;42m", "\033[0m")
_BRACKETS = ("⟦", "⟧")


def show_preview(preview: Preview, *, colour: bool) -> None:
    """Print one example; trained tokens stand on green, or in ⟦ ⟧ where there is no colour."""
    print(f"── {preview.row}: {preview.num_trained} of {preview.num_tokens} tokens are trained")
    print(marked(preview, *(_COLOUR if colour else _BRACKETS)), end="\n\n")


def marked(preview: Preview, before: str, after: str) -> str:
    """All tokens in order, each run of trained ones between `before` and `after`."""
    runs = groupby(preview.tokens, key=itemgetter(1))
    texts = ((trained, "".join(text for text, _ in run)) for trained, run in runs)
    return "".join(f"{before}{text}{after}" if trained else text for trained, text in texts)


def problems(preview: Preview) -> Iterator[str]:
    """Why training on this example would teach the wrong thing, if it would."""
    if preview.num_trained == 0:
        yield f"{preview.row}: no token is trained; expected the output's. Is the prompt longer than data.max_length?"
    elif not preview.stop_token_trained:
        yield f"{preview.row}: the stop token is not trained, so the model would not learn to end its answer"

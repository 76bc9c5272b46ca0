"""What may be chosen of a snapshot."""

from __future__ import annotations

from pydantic import Field

from instructglm.core.records import Record


class Options(Record):
    """How much it takes for an instruction or an output to be in.

    `label_model` is one of `aggregation.MODELS`. Ratings are shares of their scale here: 0 its lower end, 1 its upper.
    """

    label_model: str = "shrunken_dawid_skene"
    min_annotators: int = Field(1, ge=1)
    """An instruction needs answers by so many people, or a reviewer's verdict."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """A label less likely than this is not taken."""
    min_rating: float = Field(0.5, ge=0, le=1)
    """An output rated lower than this is not taken."""
    accept_imported: bool = False
    """Take imported outputs of which nobody said anything."""
    with_gold: bool = False
    """Take gold items too, with their known answers. Annotators are scored on them: what is published is no longer."""

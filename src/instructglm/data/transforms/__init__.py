"""What happens to examples between reading and splitting."""

from __future__ import annotations

from collections.abc import Callable

from instructglm.core.ledger import Ledger
from instructglm.core.records import Example
from instructglm.data.transforms.exact_duplicates import merge_equal_prompts
from instructglm.data.transforms.normalise import normalise

TRANSFORMS: dict[str, Callable[[list[Example], Ledger], list[Example]]] = {
    "normalise": normalise,
    "exact_duplicates": merge_equal_prompts,
}

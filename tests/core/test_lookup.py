"""Names that are known, nearly known and unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.errors import ConfigError
from instructglm.core.lookup import lookup, nearest

FORMATS = {"alpaca": 1, "belle": 2, "sharegpt": 3}


@given(st.dictionaries(st.text(), st.integers(), min_size=1), st.data())
def test_what_is_registered_is_found(registry: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(registry)))
    assert lookup("thing", name, registry) == registry[name]


def test_a_slip_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        lookup("format", "alpacca", FORMATS)
    assert str(caught.value) == ("unknown format 'alpacca'\nDid you mean 'alpaca'? Known: alpaca, belle, sharegpt.")


def test_a_name_unlike_any_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match=r"unknown format 'xyz'\nKnown: alpaca, belle, sharegpt\.$"):
        lookup("format", "xyz", FORMATS)


def test_nearest() -> None:
    assert nearest("learning_rat", ["learning_rate", "warmup_ratio"]) == "learning_rate"
    assert nearest("zzz", ["learning_rate"]) is None
    assert nearest("a", []) is None

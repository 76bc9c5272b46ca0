"""Names from content: equal for equal things, on every machine."""

import hashlib
import json
from pathlib import Path
from statistics import mean
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from instructglm.core.ids import canonical_json, content_hash, file_hash, unit_interval
from instructglm.core.seeds import derived_seed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=6,
)


@given(JSON)
def test_canonical_json_says_the_same_thing(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert content_hash(turned) == content_hash(value)


@given(JSON, JSON)
def test_hashes_differ_where_contents_do(one: Any, other: Any) -> None:
    assert (content_hash(one) == content_hash(other)) == (canonical_json(one) == canonical_json(other))


def test_parts_are_not_run_together() -> None:
    assert len({content_hash("ab", "c"), content_hash("a", "bc"), content_hash("abc"), content_hash(["ab", "c"])}) == 4


def test_names_stay_what_they_were() -> None:
    # Folders and splits on users' disks hang on these: a change here moves rows between splits.
    assert content_hash("一个", 1, None) == hashlib.sha256('["一个",1,null]'.encode()).hexdigest()[:12]
    assert unit_interval("a") == int.from_bytes(hashlib.sha256(b'["a"]').digest()[:8], "big") / 2**64
    assert derived_seed(17, "order", 1) == int.from_bytes(hashlib.sha256(b"17/order/1").digest()[:8], "big") >> 1


def test_the_unit_interval_is_filled_evenly() -> None:
    draws = [unit_interval("row", index) for index in range(4000)]
    assert all(0 <= draw < 1 for draw in draws)
    assert abs(mean(draws) - 0.5) < 0.02
    assert abs(mean(draw < 0.1 for draw in draws) - 0.1) < 0.02


@given(st.integers(0), st.text())
def test_seeds_fit_into_63_bits_and_differ_by_purpose(seed: int, name: str) -> None:
    found = derived_seed(seed, name)
    assert 0 <= found < 2**63
    assert found != derived_seed(seed, name, "other")


def test_file_hash_is_sha_256(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert file_hash(path) == hashlib.sha256(b"abc").hexdigest()

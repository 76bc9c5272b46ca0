"""What YAML means here, and that what is written is read back equal."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instructglm.config.document import dotted, dump, parse
from instructglm.core.errors import ConfigError

SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
LOOKALIKES = [
    *["yes", "no", "on", "off", "1e-4", "1E5", "null", "~", "0o17", "0x1F", "017", "1_000", "2020-01-01", ".inf"],
    *["12:30:45", "true", "=", "<<", "", " ", "- a", "a: b", "#", "@x", "`", "文", "\u2028", "\x85", "\t", "\r"],
]


def value_of(text: str) -> Any:
    return parse(text, "x.yaml").value


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_dumped_is_read_back_equal(value: dict[str, Any]) -> None:
    assert value_of(dump(value)) == value


@pytest.mark.parametrize("text", LOOKALIKES)
def test_text_that_looks_like_something_else_stays_text_in_both_versions_of_yaml(text: str) -> None:
    written = dump({"key": text})
    assert value_of(written) == {"key": text}
    assert yaml.safe_load(written) == {"key": text}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_way_to_write_a_number_is_a_number(number: float) -> None:
    for written in (repr(number), f"{number:e}", f"{number:E}"):
        assert value_of(f"key: {written}") == {"key": float(written)}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-4", 1e-4), ("-3", -3), ("+3", 3), ("007", 7), ("0x1F", 31), ("0o17", 15), (".5", 0.5), ("5.", 5.0),
        ("true", True), ("FALSE", False), ("null", None), ("~", None), ("", None),
        ("yes", "yes"), ("No", "No"), ("on", "on"), ("OFF", "OFF"), ("y", "y"), ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"), ("12:30", "12:30"), ("'1'", "1"), ("!!str 1", "1"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema(written: str, value: Any) -> None:
    found = value_of(f"key: {written}")["key"]
    assert (found, type(found)) == (value, type(value))


def test_infinities_and_nan() -> None:
    assert value_of("[.inf, -.Inf, .INF]") == [math.inf, -math.inf, math.inf]
    assert math.isnan(value_of(".NaN"))


def test_keys_are_always_text() -> None:
    assert value_of("{1: a, yes: b, null: c}") == {"1": "a", "yes": "b", "null": "c"}


def test_every_value_knows_its_line() -> None:
    document = parse("a: 1\nb:\n  - c: 2\n  - d\n", "x.yaml")
    assert document.origin(("a",)) == "x.yaml:1"
    assert document.origin(("b", 0, "c")) == "x.yaml:3"
    assert document.origin(("b", 1)) == "x.yaml:4"
    assert document.origin(("b", 0, "not there")) == "x.yaml:3"


def test_a_repeated_key_is_named_with_both_lines() -> None:
    document = parse("a: 1\nb: {c: 1,\n  c: 2}\na: 3\n", "x.yaml")
    assert [str(fault) for fault in document.faults] == [
        "x.yaml:3: b.c: this key stands twice (first at line 2); keep one",
        "x.yaml:4: a: this key stands twice (first at line 1); keep one",
    ]


def test_anchors_are_followed() -> None:
    assert value_of("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3", "x.yaml:2:2: not YAML"),
        ("a:\n\tb: 1", "x.yaml:2:1: not YAML: found character '\\t' that cannot start any token\nIndent with spaces"),
        ("a: b: c", "x.yaml:1:5: not YAML: mapping values are not allowed here\nPut text that holds `: ` in quotes"),
        ("a: 1\n---\nb: 2", "x.yaml:2:1: not YAML"),
        ("a: *nowhere", "x.yaml:1:4: not YAML: found undefined alias"),
        ("a: 1\nb: \x07", "x.yaml:2: a control character (U+0007)"),
        ("a: &x [*x]", "x.yaml:1: an alias refers to the value it stands in"),
        ("? [a, b]\n: 1", "x.yaml:1: a key must be one word"),
        ("[" * 5000, "x.yaml: lists or mappings are nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x.yaml")
    assert str(caught.value).startswith(message)


def test_dotted_paths() -> None:
    assert dotted(("data", "sources", 0, "path")) == "data.sources[0].path"
    assert dotted(()) == ""

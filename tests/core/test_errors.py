"""What a user is told."""

import pytest

from instructglm.core import errors
from instructglm.core.errors import DataError, InstructGLMError


def test_faults_stand_on_lines_of_their_own_and_the_hint_comes_last() -> None:
    error = DataError("a.jsonl:3: no output", "a.jsonl:9: no output", hint="Fill them in.")
    assert str(error) == "a.jsonl:3: no output\na.jsonl:9: no output\nFill them in."
    assert error.faults == ("a.jsonl:3: no output", "a.jsonl:9: no output")


def test_without_a_hint_nothing_is_added() -> None:
    assert str(DataError("a: empty")) == "a: empty"


@pytest.mark.parametrize("name", [name for name in vars(errors) if name.endswith("Error")])
def test_every_error_is_of_one_tree(name: str) -> None:
    assert issubclass(getattr(errors, name), InstructGLMError)
    assert name in (errors.__doc__ or "")

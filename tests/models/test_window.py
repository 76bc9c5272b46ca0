"""A sequence that a model cannot read is refused before anything is computed."""

from __future__ import annotations

import pytest

from instructglm.core.errors import ModelError
from instructglm.models import load
from instructglm.models.window import require_window, window


@pytest.mark.parametrize("name", ["chatglm-tiny", "glm-tiny"])
def test_the_window_is_what_the_config_says(name):
    model, _ = load(name)
    limit = window(model)
    assert limit is not None
    require_window(model, limit)
    with pytest.raises(ModelError, match=rf"data.max_length is {limit + 1}; this model reads {limit} tokens"):
        require_window(model, limit + 1)


@pytest.mark.parametrize(
    ("prefix", "advice"),
    [(12, "Set data.max_length to {room} or less, or lower tuning.num_virtual_tokens."),
     (10_000, "Lower tuning.num_virtual_tokens: what it leaves of {limit} is for data.max_length.")],
)  # fmt: skip
def test_a_prefix_takes_its_part_of_the_window(prefix, advice):
    model, _ = load("glm-tiny")
    limit = window(model)
    require_window(model, limit - 12, 12)
    with pytest.raises(ModelError, match=rf"tuning.num_virtual_tokens is {prefix}, and data.max_length") as caught:
        require_window(model, limit - 11, prefix)
    assert caught.value.hint == advice.format(room=limit - prefix, limit=limit)

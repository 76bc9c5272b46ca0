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

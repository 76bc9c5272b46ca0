"""Ours among transformers' own: ChatGLM-6B with the Auto classes, the attention of packed rows with the attentions.

`import instructglm` has to register them, and has to stay light: most commands
compute nothing, and need no transformers. So it leaves a word with Python's import system, and
each of ours is registered once the module that it goes with is imported. Ours import other modules of
transformers, so they wait until none of those is half imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

MODEL_TYPE = "chatglm"
SHARED_PREFIX = "shared_prefix"
"""The name under which transformers knows the attention of packed rows (`attn_implementation`)."""
_AUTO = "transformers.models.auto."
_OURS = "instructglm.models."


def _config(auto: ModuleType, ours: ModuleType) -> None:
    auto.AutoConfig.register(MODEL_TYPE, ours.ChatGLMConfig, exist_ok=True)


def _models(auto: ModuleType, ours: ModuleType) -> None:
    auto.AutoModel.register(ours.ChatGLMConfig, ours.ChatGLMModel, exist_ok=True)
    auto.AutoModelForCausalLM.register(ours.ChatGLMConfig, ours.ChatGLMForCausalLM, exist_ok=True)


def _tokenizer(auto: ModuleType, ours: ModuleType) -> None:
    config = import_module(_OURS + "chatglm.configuration").ChatGLMConfig
    auto.AutoTokenizer.register(config, tokenizer_class=ours.ChatGLMTokenizer, exist_ok=True)


def _attention(library: ModuleType, ours: ModuleType) -> None:
    masks = import_module("transformers.masking_utils")
    library.AttentionInterface.register(SHARED_PREFIX, ours.shared_prefix_attention)
    masks.AttentionMaskInterface.register(SHARED_PREFIX, masks.sdpa_mask)  # for calls that are not packed


_REGISTRATIONS: tuple[tuple[str, str, Callable[[ModuleType, ModuleType], None]], ...] = (
    (_AUTO + "configuration_auto", _OURS + "chatglm.configuration", _config),
    (_AUTO + "modeling_auto", _OURS + "chatglm.modeling", _models),
    (_AUTO + "tokenization_auto", _OURS + "tokenization.chatglm", _tokenizer),
    ("transformers.modeling_utils", _OURS + "shared_prefix.attention", _attention),
)


def register() -> None:
    """Register our classes now where transformers is imported, else when it will be."""
    watch = next((finder for finder in sys.meta_path if isinstance(finder, _Watch)), None)
    if watch is None:
        watch = _Watch()
        sys.meta_path.insert(0, watch)
    watch.register_ready()


class _Watch(MetaPathFinder):
    """Finds nothing of its own; registers what can be when a module of transformers, or one of ours, has been run."""

    def __init__(self) -> None:
        self._ours = {ours for _, ours, _ in _REGISTRATIONS}
        self._searching: set[str] = set()
        self._done: set[str] = set()
        self.running: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("transformers.") and fullname not in self._ours:
            return None
        if fullname in self._searching:
            return None
        self._searching.add(fullname)  # the search below comes by here again
        try:
            spec = find_spec(fullname)
        finally:
            self._searching.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader, self)
        return spec

    def register_ready(self) -> None:
        """Register with all that is there, unless something is being run at this moment."""
        for auto, ours, registration in _REGISTRATIONS:
            if auto in sys.modules and auto not in self._done and not self.running:
                found = import_module(ours)  # which comes by here too, and may have registered it
                if auto not in self._done:
                    registration(sys.modules[auto], found)
                    self._done.add(auto)


class _Registering(Loader):
    """A module's own loader, and a registration after it."""

    def __init__(self, loader: Loader, watch: _Watch) -> None:
        self._loader = loader
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # what inspect and importlib.resources ask a loader for

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._give_way(module)
        self._watch.running.add(module.__name__)
        try:
            self._loader.exec_module(module)
        finally:
            self._watch.running.discard(module.__name__)
        self._watch.register_ready()

    def _give_way(self, module: ModuleType) -> None:
        """Who looks at the module later finds its own loader."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader

"""`import instructglm` makes transformers know ChatGLM-6B, whatever is imported first, and imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

_KNOWN = """
from transformers import AutoConfig, AutoModelForCausalLM
config = AutoConfig.for_model("chatglm", num_layers=1, hidden_size=32, num_attention_heads=2, inner_hidden_size=32)
assert type(AutoModelForCausalLM.from_config(config)).__name__ == "ChatGLMForCausalLM"
"""
_ORDERS = {
    "ours first": "import instructglm",
    "transformers first": "import transformers",
    "its Auto classes first": "from transformers import AutoModelForCausalLM, AutoTokenizer\nimport instructglm",
    "the model first": "from instructglm.models.chatglm.modeling import ChatGLMForCausalLM",
    "the config first": "from instructglm.models.chatglm.configuration import ChatGLMConfig",
    "the door first": "from instructglm.models import load",
    "another model first": "import instructglm\nfrom transformers import LlamaForCausalLM",
    "layers first": "import instructglm\nimport transformers.modeling_layers",
    "masks first": "import instructglm\nimport transformers.masking_utils\nfrom transformers import GlmForCausalLM",
    "the trainer first": "import instructglm\nfrom transformers import Trainer",
    "adapters first": "import instructglm\nimport peft",
    "twice": "import importlib, instructglm\nimportlib.reload(instructglm)",
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("order", _ORDERS)
def test_the_auto_classes_know_it(order):
    done = run(f"{_ORDERS[order]}\nimport instructglm\n{_KNOWN}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["instructglm", "instructglm.models", "instructglm.cli.main", "instructglm.data"])
def test_importing_it_is_light(module):
    done = run(f"import sys, {module}\nprint(sorted({{name.split('.')[0] for name in sys.modules}}))")
    assert done.returncode == 0, done.stderr
    assert not {"torch", "transformers", "peft"} & set(eval(done.stdout))


def test_the_loader_of_a_watched_module_can_still_be_asked(tmp_path):
    code = "import instructglm, inspect\nfrom transformers.models.auto import modeling_auto\n"
    code += "print(len(inspect.getsource(modeling_auto)))"
    done = run(code)
    assert int(done.stdout) > 1000, done.stderr


_COUNTED = """
import importlib, instructglm
from instructglm.models import registration
made = []
registration._REGISTRATIONS = tuple(
    (library, ours, lambda *pair, name=ours, register=register: (made.append(name), register(*pair)))
    for library, ours, register in registration._REGISTRATIONS
)
from transformers import AutoModelForCausalLM, AutoTokenizer, GlmForCausalLM
import instructglm.models.chatglm.modeling, instructglm.models.tokenization.chatglm, peft
registration.register()
importlib.reload(instructglm)
assert len(made) == len(registration._REGISTRATIONS) == len(set(made)), made
"""


def test_each_of_ours_is_registered_once():
    done = run(_COUNTED)
    assert done.returncode == 0, done.stderr

"""ChatGLM2, ChatGLM3 and the remote-code layout of GLM-4 as transformers' own `GlmForCausalLM`.

The networks are the same; names, fused weights and the config differ, and are
mapped without loss while a checkpoint is read.
"""

from instructglm.models.glm_import.auto import auto_config
from instructglm.models.glm_import.config import glm_config_of
from instructglm.models.glm_import.export import save_official
from instructglm.models.glm_import.layout import read_official_layout

__all__ = ["auto_config", "glm_config_of", "read_official_layout", "save_official"]

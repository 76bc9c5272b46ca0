"""Instruction tuning for ChatGLM-6B and the GLM family, from annotation to a verdict.

Importing this registers the native ChatGLM-6B with transformers' Auto classes.
"""

from instructglm.models import registration

__version__ = "0.1.0"

registration.register()

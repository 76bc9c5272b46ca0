"""Instruction tuning for ChatGLM-6B and the GLM family, from annotation to a verdict."""

__version__ = "0.1.0"

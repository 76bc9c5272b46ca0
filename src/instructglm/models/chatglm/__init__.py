"""ChatGLM-6B, the first generation, as a native transformers model."""

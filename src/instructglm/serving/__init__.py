"""A run put to use."""

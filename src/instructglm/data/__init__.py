"""From raw rows to token ids."""

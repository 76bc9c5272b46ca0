"""From any older store to today's, step by step, by Alembic: `versions/` holds the steps."""

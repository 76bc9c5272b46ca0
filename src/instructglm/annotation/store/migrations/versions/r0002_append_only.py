"""What was written can not be changed or deleted, whoever tries: triggers in the database refuse."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "events", "guidelines", "instructions", "outputs", "withdrawals", "gold_answers", "submissions", "annotations",
    "decisions",
)  # fmt: skip

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: no {verb}'); END
"""
_POSTGRES_FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only: no %', TG_TABLE_NAME, lower(TG_OP); END
$$
"""
_POSTGRES = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    """Put a trigger before every change."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    trigger, verbs = (_SQLITE, ("update", "delete")) if sqlite else (_POSTGRES, ("update", "delete", "truncate"))
    if not sqlite:
        op.execute(_POSTGRES_FUNCTION)
    for table in TABLES:
        for verb in verbs:
            op.execute(trigger.format(table=table, verb=verb))

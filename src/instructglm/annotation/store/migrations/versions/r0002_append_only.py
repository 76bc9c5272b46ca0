"""What was written can not be changed or deleted, whoever tries: triggers in the database refuse."""

from collections.abc import Sequence

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "events", "guidelines", "instructions", "outputs", "withdrawals", "gold_answers", "submissions", "annotations",
    "decisions",
)  # fmt: skip

# What names a row, besides its id: on SQLite, INSERT OR REPLACE would delete the row that holds it already.
KEYS = {
    "events": ("number",),
    "guidelines": ("project, version",),
    "instructions": ("project, key",),
    "submissions": ("assignment, revision", "person, key"),
    "decisions": ("instruction, revision", "person, key"),
}
_SQLITE_INSERT = """
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {known}
BEGIN SELECT RAISE(ABORT, '{table} is append-only: no replace'); END
"""
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
    if op.get_bind().dialect.name != "sqlite":
        op.execute(_POSTGRES_FUNCTION)
    for table in TABLES:
        protect(table, *KEYS.get(table, ()))


def protect(table: str, *keys: str) -> None:
    """Let the database refuse all but new rows of a table; for later steps too. `keys` name a row, besides its id."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    trigger, verbs = (_SQLITE, ("update", "delete")) if sqlite else (_POSTGRES, ("update", "delete", "truncate"))
    for verb in verbs:
        op.execute(trigger.format(table=table, verb=verb))
    if sqlite:
        names = keys if table == "events" else ("id", *keys)
        op.execute(_SQLITE_INSERT.format(table=table, known=_known(table, names)))


def _known(table: str, names: Sequence[str]) -> str:
    """SQL: whether a row has one of the new row's names."""
    return " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {_same(name)})" for name in names)


def _same(name: str) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in name.split(", "))

"""Run by Alembic: migrate the connection that the caller opened, within the caller's transaction."""

from alembic import context

from instructglm.annotation.store.opening import REVISION_TABLE
from instructglm.annotation.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=REVISION_TABLE,
)
context.run_migrations()

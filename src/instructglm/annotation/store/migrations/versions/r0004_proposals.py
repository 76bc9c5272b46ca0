"""Instructions that a model proposes, and what a person decided of them; append-only like the rest."""

import sqlalchemy as sa
from alembic import op

from instructglm.annotation.store.migrations.versions.r0002_append_only import protect

revision = "0004"
down_revision = "0003"

BIG = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Make both tables, with a trigger before every change."""
    op.create_table(
        "proposals",
        sa.Column("project", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("expansion", sa.Text(), nullable=False),
        sa.Column("reply", BIG, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_proposals_event")),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_proposals_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("project", "key", name=op.f("uq_proposals_project_key")),
    )
    op.create_index(op.f("ix_proposals_event"), "proposals", ["event"], unique=False)
    op.create_table(
        "proposal_decisions",
        sa.Column("proposal", BIG, nullable=False),
        sa.Column("person", BIG, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("instruction", BIG, nullable=True),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_proposal_decisions_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_proposal_decisions_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_proposal_decisions_person")),
        sa.ForeignKeyConstraint(["proposal"], ["proposals.id"], name=op.f("fk_proposal_decisions_proposal")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_decisions")),
        sa.UniqueConstraint("proposal", name=op.f("uq_proposal_decisions_proposal")),
    )
    op.create_index(op.f("ix_proposal_decisions_event"), "proposal_decisions", ["event"], unique=False)
    protect("proposals", "project, key")
    protect("proposal_decisions", "proposal")

"""The tables of the first store.

The types are the plain ones of the database: how values are spelled in them is
the business of `tables/base.py`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.Integer().with_variant(sa.BigInteger(), "postgresql")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "events",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("project", BIG, nullable=True),
        sa.Column("person", BIG, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_project_number"), "events", ["project", "number"], unique=False)
    op.create_table(
        "people",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("added_ms", BIG, nullable=False),
        sa.Column("removed_ms", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
    )
    op.create_table(
        "projects",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "guidelines",
        sa.Column("project", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_guidelines_event")),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_guidelines_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guidelines")),
        sa.UniqueConstraint("project", "version", name=op.f("uq_guidelines_project_version")),
    )
    op.create_index(op.f("ix_guidelines_event"), "guidelines", ["event"], unique=False)
    op.create_table(
        "instructions",
        sa.Column("project", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("complexity", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_instructions_event")),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_instructions_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instructions")),
        sa.UniqueConstraint("project", "key", name=op.f("uq_instructions_project_key")),
    )
    op.create_index(op.f("ix_instructions_event"), "instructions", ["event"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_by", BIG, nullable=True),
        sa.Column("expires_ms", BIG, nullable=False),
        sa.Column("used_ms", BIG, nullable=True),
        sa.Column("person", BIG, nullable=True),
        sa.ForeignKeyConstraint(["invited_by"], ["people.id"], name=op.f("fk_invitations_invited_by")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_invitations_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_table(
        "rounds",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("project", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("delay_ms", BIG, nullable=False),
        sa.Column("annotators", BIG, nullable=True),
        sa.Column("seen_event", BIG, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_rounds_project")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rounds")),
        sa.UniqueConstraint("project", "number", name=op.f("uq_rounds_project_number")),
    )
    op.create_index(
        "uq_rounds_open",
        "rounds",
        ["project"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_table(
        "assignments",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("round", BIG, nullable=False),
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("person", BIG, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_gold", sa.Boolean(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("given_ms", BIG, nullable=False),
        sa.Column("renewed_ms", BIG, nullable=False),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_assignments_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_assignments_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_assignments_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_instruction"), "assignments", ["instruction"], unique=False)
    op.create_index(op.f("ix_assignments_person"), "assignments", ["person"], unique=False)
    op.create_index(
        "uq_assignments_lease",
        "assignments",
        ["round", "person"],
        unique=True,
        sqlite_where=sa.text("state = 'leased'"),
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.create_index(
        "uq_assignments_once",
        "assignments",
        ["round", "person", "instruction"],
        unique=True,
        sqlite_where=sa.text("state <> 'returned'"),
        postgresql_where=sa.text("state <> 'returned'"),
    )
    op.create_table(
        "cursors",
        sa.Column("round", BIG, autoincrement=False, nullable=False),
        sa.Column("person", BIG, autoincrement=False, nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("num_given", BIG, nullable=False),
        sa.Column("again_ms", BIG, nullable=True),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_cursors_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_cursors_round")),
        sa.PrimaryKeyConstraint("round", "person", name=op.f("pk_cursors")),
    )
    op.create_table(
        "decisions",
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("person", BIG, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("answer_hash", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seen_event", BIG, nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_decisions_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_decisions_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_decisions_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("instruction", "revision", name=op.f("uq_decisions_instruction_revision")),
        sa.UniqueConstraint("person", "key", name=op.f("uq_decisions_person_key")),
    )
    op.create_index(op.f("ix_decisions_event"), "decisions", ["event"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("round", BIG, autoincrement=False, nullable=False),
        sa.Column("person", BIG, autoincrement=False, nullable=False),
        sa.Column("instruction", BIG, autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("based_on", BIG, nullable=False),
        sa.Column("saved_ms", BIG, nullable=False),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_drafts_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_drafts_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_drafts_round")),
        sa.PrimaryKeyConstraint("round", "person", "instruction", name=op.f("pk_drafts")),
    )
    op.create_table(
        "unsaved",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("round", BIG, nullable=False),
        sa.Column("person", BIG, nullable=False),
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("based_on", BIG, nullable=False),
        sa.Column("sent_ms", BIG, nullable=False),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_unsaved_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_unsaved_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_unsaved_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unsaved")),
    )
    op.create_index(
        op.f("ix_unsaved_round_person_instruction"), "unsaved", ["round", "person", "instruction"], unique=False
    )
    op.create_table(
        "items",
        sa.Column("round", BIG, autoincrement=False, nullable=False),
        sa.Column("instruction", BIG, autoincrement=False, nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("needed", BIG, nullable=False),
        sa.Column("taken", BIG, nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= needed", name=op.f("ck_items_no_more_than_needed")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_items_instruction")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_items_round")),
        sa.PrimaryKeyConstraint("round", "instruction", name=op.f("pk_items")),
        sa.UniqueConstraint("round", "position", name=op.f("uq_items_round_position")),
    )
    op.create_index(
        "ix_items_waiting",
        "items",
        ["round", "position"],
        unique=False,
        sqlite_where=sa.text("taken < needed"),
        postgresql_where=sa.text("taken < needed"),
    )
    op.create_table(
        "outputs",
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("person", BIG, nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("round", BIG, nullable=True),
        sa.Column("edited_from", BIG, nullable=True),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["edited_from"], ["outputs.id"], name=op.f("fk_outputs_edited_from")),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_outputs_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_outputs_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_outputs_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_outputs_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outputs")),
    )
    op.create_index(op.f("ix_outputs_event"), "outputs", ["event"], unique=False)
    op.create_index(op.f("ix_outputs_instruction"), "outputs", ["instruction"], unique=False)
    op.create_table(
        "gold_answers",
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("output", BIG, nullable=True),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("tolerance", sa.Double(), nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_gold_answers_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_gold_answers_instruction")),
        sa.ForeignKeyConstraint(["output"], ["outputs.id"], name=op.f("fk_gold_answers_output")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_answers")),
    )
    op.create_index(op.f("ix_gold_answers_event"), "gold_answers", ["event"], unique=False)
    op.create_index(op.f("ix_gold_answers_instruction"), "gold_answers", ["instruction"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("assignment", BIG, nullable=False),
        sa.Column("round", BIG, nullable=False),
        sa.Column("instruction", BIG, nullable=False),
        sa.Column("person", BIG, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("answer_hash", sa.Text(), nullable=False),
        sa.Column("guideline", BIG, nullable=True),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("took_ms", BIG, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["assignment"], ["assignments.id"], name=op.f("fk_submissions_assignment")),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_submissions_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_submissions_instruction")),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_submissions_person")),
        sa.ForeignKeyConstraint(["round"], ["rounds.id"], name=op.f("fk_submissions_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("assignment", "revision", name=op.f("uq_submissions_assignment_revision")),
        sa.UniqueConstraint("person", "key", name=op.f("uq_submissions_person_key")),
    )
    op.create_index(op.f("ix_submissions_event"), "submissions", ["event"], unique=False)
    op.create_index(op.f("ix_submissions_instruction_person"), "submissions", ["instruction", "person"], unique=False)
    op.create_index(op.f("ix_submissions_person_at_ms"), "submissions", ["person", "at_ms"], unique=False)
    op.create_index(op.f("ix_submissions_round_person"), "submissions", ["round", "person"], unique=False)
    op.create_table(
        "withdrawals",
        sa.Column("instruction", BIG, nullable=True),
        sa.Column("output", BIG, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.CheckConstraint("(instruction IS NULL) <> (output IS NULL)", name=op.f("ck_withdrawals_one_thing")),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_withdrawals_event")),
        sa.ForeignKeyConstraint(["instruction"], ["instructions.id"], name=op.f("fk_withdrawals_instruction")),
        sa.ForeignKeyConstraint(["output"], ["outputs.id"], name=op.f("fk_withdrawals_output")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
    )
    op.create_index(op.f("ix_withdrawals_event"), "withdrawals", ["event"], unique=False)
    op.create_index(op.f("ix_withdrawals_instruction"), "withdrawals", ["instruction"], unique=False)
    op.create_index(op.f("ix_withdrawals_output"), "withdrawals", ["output"], unique=False)
    op.create_table(
        "annotations",
        sa.Column("submission", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("output", BIG, nullable=True),
        sa.Column("criterion", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("event", BIG, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.number"], name=op.f("fk_annotations_event")),
        sa.ForeignKeyConstraint(["output"], ["outputs.id"], name=op.f("fk_annotations_output")),
        sa.ForeignKeyConstraint(["submission"], ["submissions.id"], name=op.f("fk_annotations_submission")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
    )
    op.create_index(op.f("ix_annotations_event"), "annotations", ["event"], unique=False)
    op.create_index(op.f("ix_annotations_submission"), "annotations", ["submission"], unique=False)

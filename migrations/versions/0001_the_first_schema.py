"""The first schema: links with their files, both sides' states, what is out of scope, cycles, the lease and facts.

Revision 0001. A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NOT_A_TOMBSTONE = sa.text("status != 'tombstone'")
_BEING_WRITTEN = sa.text("writing_since IS NOT NULL")


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "link",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("external_class", sa.Text, nullable=False),
        sa.Column("external_id", sa.BigInteger, nullable=False),
        sa.Column("external_number", sa.Text, nullable=False),
        sa.Column("external_version", sa.Text),
        sa.Column("internal_class", sa.Text),
        sa.Column("internal_id", sa.BigInteger),
        sa.Column("internal_number", sa.Text, nullable=False),
        sa.Column("internal_version", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False, comment="The tickets can still change."),
        sa.Column("base", sa.Text, nullable=False, comment="JSON: fingerprints and states."),
        sa.Column("obstacles", sa.Text, nullable=False, comment="JSON: what does not get across, and why."),
        sa.Column("troubled", sa.Boolean, nullable=False, comment="Has obstacles, is parked, or has a write of unknown outcome."),
        sa.Column("due_at", _TIME),
        sa.Column("in_doubt", sa.Boolean, nullable=False),
        sa.Column("writing", sa.Text, comment="What kind of write was begun and not ended yet."),
        sa.Column("writing_since", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link"),
        sqlite_autoincrement=True,
        comment="Pairs of tickets, and what both sides last agreed on.",
    )
    op.create_index("ix_link_external", "link", ["external_class", "external_id"], unique=True)
    op.create_index("ix_link_internal", "link", ["internal_class", "internal_id"])
    op.create_index(
        "uq_link_internal",
        "link",
        ["internal_class", "internal_id"],
        unique=True,
        sqlite_where=_NOT_A_TOMBSTONE,
        postgresql_where=_NOT_A_TOMBSTONE,
    )
    op.create_index("ix_link_external_number", "link", ["external_number"])
    op.create_index("ix_link_internal_number", "link", ["internal_number"])
    op.create_index("ix_link_due", "link", ["due_at", "id", "status"])
    op.create_index("ix_link_live", "link", ["live", "status"])
    op.create_index("ix_link_troubled", "link", ["troubled", "id"])
    op.create_index("ix_link_writing", "link", ["writing_since"], sqlite_where=_BEING_WRITTEN, postgresql_where=_BEING_WRITTEN)

    op.create_table(
        "file",
        sa.Column("link_id", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("original_id", sa.BigInteger, nullable=False),
        sa.Column("copy_id", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name="fk_file_link_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link_id", "origin", "original_id", name="pk_file"),
        comment="Attachments and their copies.",
    )
    op.create_index("ix_file_original", "file", ["origin", "original_id"])
    op.create_index("ix_file_copy", "file", ["origin", "copy_id"])

    op.create_table(
        "sighting",
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("class", sa.Text, nullable=False),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("side", "class", "id", name="pk_sighting"),
        comment="Tickets that were out of scope at a version, so that a poll does not ask again.",
    )
    op.create_index("ix_sighting_seen_at", "sighting", ["seen_at"])

    op.create_table(
        "side_state",
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("cursor", _TIME),
        sa.Column("high_water_marks", sa.Text, nullable=False, comment="JSON: when which attachment id was the highest."),
        sa.Column("drafts", sa.Text, nullable=False, comment="JSON: ids of attachments without a ticket."),
        sa.Column("account", sa.Text),
        sa.Column("former_accounts", sa.Text, nullable=False, comment="JSON: ids of the accounts that we had before."),
        sa.Column("ok_at", _TIME),
        sa.Column("problem", sa.Text),
        sa.Column("problem_since", _TIME),
        sa.PrimaryKeyConstraint("side", name="pk_side_state"),
        comment="How far each side has been polled, and how it is.",
    )
    op.create_table(
        "cycle",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("finished", _TIME),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False, comment="JSON: what was done, and how often."),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_cycle"),
        sqlite_autoincrement=True,
        comment="The cycles that ran.",
    )
    op.create_index("ix_cycle_started", "cycle", ["started", "id"])

    op.create_table(
        "lease",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_lease_single")),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
        comment="Who may write. At most one row.",
    )
    op.create_table(
        "fact",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fact"),
        comment="Small things to be remembered.",
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in ("fact", "lease", "cycle", "side_state", "sighting", "file", "link"):
        op.drop_table(table)

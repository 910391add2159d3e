"""Activity, what was written without its content; and requests, what people asked the process at work for.

Revision 0002. A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_OPEN = sa.text("finished_at IS NULL")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "activity",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("link_id", sa.Integer, nullable=False, comment="Stays when the link is forgotten."),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("items", sa.Text, nullable=False, comment="JSON: the keys of what it carried."),
        sa.Column("age", sa.Float, comment="Seconds from the person's save to the arrival."),
        sa.Column("cycle", _TIME, nullable=False, comment="When the cycle began."),
        sa.PrimaryKeyConstraint("id", name="pk_activity"),
        sqlite_autoincrement=True,
        comment="What was written, without its content.",
    )
    op.create_index("ix_activity_at", "activity", ["at", "id"])
    op.create_index("ix_activity_link", "activity", ["link_id", "at", "id"])
    op.create_table(
        "request",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("link_id", sa.Integer, comment="Stays when the link is forgotten."),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="Of the stopped plan that is meant."),
        sa.Column("arguments", sa.Text, nullable=False, comment="JSON: what else the kind takes."),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("taken_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("result", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request"),
        sqlite_autoincrement=True,
        comment="What people asked for, and what became of it.",
    )
    op.create_index("ix_request_at", "request", ["at", "id"])
    op.create_index("ix_request_link", "request", ["link_id", "at", "id"])
    op.create_index("ix_request_open", "request", ["id"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    """Drop both."""
    op.drop_table("request")
    op.drop_table("activity")

"""Activity: what was written, without its content.

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


def upgrade() -> None:
    """Make its table."""
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


def downgrade() -> None:
    """Drop it."""
    op.drop_table("activity")

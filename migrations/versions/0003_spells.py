"""Spells: how long a side was down, something was parked, and the like.

Revision 0003. A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_KEPT_SINCE = "spells kept since"
_FACTS = sa.table("fact", sa.column("name", sa.Text), sa.column("value", sa.Text))


def upgrade() -> None:
    """Make the table, and remember that nothing is known of what was before."""
    op.create_table(
        "spell",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("side", sa.Text),
        sa.Column("link_id", sa.Integer, comment="Stays when the link is forgotten."),
        sa.Column("item", sa.Text, nullable=False, comment="The key of what of the ticket it is about."),
        sa.Column("since", _TIME, nullable=False),
        sa.Column("until", _TIME, nullable=False, comment="Until when it was seen to last."),
        sa.Column("over", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spell"),
        sqlite_autoincrement=True,
        comment="What lasted: a side that was down, something that was parked.",
    )
    op.create_index("ix_spell_over", "spell", ["over", "until"])
    op.execute(_FACTS.insert().values(name=_KEPT_SINCE, value=datetime.now(UTC).isoformat()))


def downgrade() -> None:
    """Drop it."""
    op.drop_table("spell")
    op.execute(_FACTS.delete().where(_FACTS.c.name == _KEPT_SINCE))

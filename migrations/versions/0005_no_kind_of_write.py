"""No kind of the write that is under way: nobody read it.

Revision 0005. A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the column. Not in a batch: on SQLite that makes the table anew, and without its AUTOINCREMENT."""
    op.drop_column("link", "writing")


def downgrade() -> None:
    """Add it, empty."""
    op.add_column("link", sa.Column("writing", sa.Text, comment="What kind of write was begun and not ended yet."))

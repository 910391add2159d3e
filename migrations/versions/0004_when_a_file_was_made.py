"""When each known attachment was made: its id may be given again.

Revision 0004. A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty until the file is looked at again."""
    comment = "When the original was made; empty until it is known."
    with op.batch_alter_table("file") as table:
        table.add_column(sa.Column("born", sa.Text, nullable=False, server_default="", comment=comment))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("file") as table:
        table.drop_column("born")

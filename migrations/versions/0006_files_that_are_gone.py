"""Copies that are left where their originals are gone, and files that were gone at one look.

Revision 0006. Nothing of the tables changes, but an older program knows neither word. A migration stands for itself: it imports
nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing has the new words yet."""


def downgrade() -> None:
    """Let copies that are left be forgotten, as the older program would, and the next look be the first one."""
    file = sa.table("file", sa.column("status"))
    link = sa.table("link", sa.column("id"), sa.column("obstacles"))
    connection = op.get_bind()
    connection.execute(sa.delete(file).where(file.c.status == "left"))
    known = sa.select(link.c.id, link.c.obstacles).where(link.c.obstacles.like('%"gone:%'))
    for number, obstacles in connection.execute(known).all():
        kept = [each for each in json.loads(obstacles) if not each["key"].startswith("gone:")]
        connection.execute(sa.update(link).where(link.c.id == number).values(obstacles=json.dumps(kept)))

"""Copies that are left where their originals are gone, and files that were gone at one look.

A file is known by its id and by when it was made: the copy of one may be left whose id another one has by now. Revision 0006.
A migration stands for itself: it imports nothing of itopsync, whose tables go on changing.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


_BEFORE = ["link_id", "origin", "original_id"]


def upgrade() -> None:
    """Let a ticket have several files under one id. Nothing has the new words yet."""
    with op.batch_alter_table("file") as table:
        table.drop_constraint("pk_file", type_="primary")
        table.create_primary_key("pk_file", [*_BEFORE, "born"])
        table.alter_column(
            "born", existing_type=sa.Text, existing_nullable=False, server_default=""
        )  # SQLite puts it in brackets


def downgrade() -> None:
    """Let copies that are left be forgotten, as the older program would, and the next look be the first one."""
    file = sa.table("file", sa.column("status"))
    link = sa.table("link", sa.column("id"), sa.column("obstacles"))
    connection = op.get_bind()
    connection.execute(sa.delete(file).where(file.c.status == "left"))
    new = ("gone:", "restored:")
    known = sa.select(link.c.id, link.c.obstacles).where(sa.or_(*(link.c.obstacles.like(f'%"{word}%') for word in new)))
    for number, obstacles in connection.execute(known).all():
        kept = [each for each in json.loads(obstacles) if not each["key"].startswith(new)]
        connection.execute(sa.update(link).where(link.c.id == number).values(obstacles=json.dumps(kept)))
    with op.batch_alter_table("file") as table:
        table.drop_constraint("pk_file", type_="primary")
        table.create_primary_key("pk_file", _BEFORE)

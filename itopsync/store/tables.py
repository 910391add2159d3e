"""The store's schema, except for :mod:`~itopsync.store.partial`. Each change needs a migration, which a test enforces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, in UTC on both databases: SQLite keeps no timezone, and PostgreSQL returns the session's.

    :raises ValueError: the datetime is naive
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no timezone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if dialect.name == "sqlite" else found.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

link = Table(
    "link",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("external_class", Text, nullable=False),
    Column("external_id", BigInteger, nullable=False),
    Column("external_number", Text, nullable=False),
    Column("external_version", Text),
    Column("internal_class", Text),
    Column("internal_id", BigInteger),
    Column("internal_number", Text, nullable=False),
    Column("internal_version", Text),
    Column("status", Text, nullable=False),
    Column("live", Boolean, nullable=False, comment="The tickets can still change."),
    Column("base", Text, nullable=False, comment="JSON: fingerprints and states."),
    Column("obstacles", Text, nullable=False, comment="JSON: what does not get across, and why."),
    Column("troubled", Boolean, nullable=False, comment="Has obstacles, is parked, or has a write of unknown outcome."),
    Column("due_at", UtcDateTime),
    Column("in_doubt", Boolean, nullable=False),
    Column("writing_since", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_link_external", "external_class", "external_id", unique=True),
    Index("ix_link_internal", "internal_class", "internal_id"),
    Index("ix_link_external_number", "external_number"),
    Index("ix_link_internal_number", "internal_number"),
    Index("ix_link_due", "due_at", "id", "status"),
    Index("ix_link_live", "live", "status"),
    Index("ix_link_troubled", "troubled", "id"),
    sqlite_autoincrement=True,
    comment="Pairs of tickets, and what both sides last agreed on.",
)

file = Table(
    "file",
    metadata,
    Column("link_id", Integer, ForeignKey("link.id", ondelete="CASCADE"), primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("original_id", BigInteger, primary_key=True),
    Column("copy_id", BigInteger),
    Column("status", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("born", Text, primary_key=True, server_default="", comment="When the original was made; empty until it is known."),
    Index("ix_file_original", "origin", "original_id"),
    Index("ix_file_copy", "origin", "copy_id"),
    comment="Attachments and their copies.",
)

sighting = Table(
    "sighting",
    metadata,
    Column("side", Text, primary_key=True),
    Column("class", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("version", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("ix_sighting_seen_at", "seen_at"),
    comment="Tickets that were out of scope at a version, so that a poll does not ask again.",
)

side_state = Table(
    "side_state",
    metadata,
    Column("side", Text, primary_key=True),
    Column("cursor", UtcDateTime),
    Column("high_water_marks", Text, nullable=False, comment="JSON: when which attachment id was the highest."),
    Column("drafts", Text, nullable=False, comment="JSON: ids of attachments without a ticket."),
    Column("account", Text),
    Column("former_accounts", Text, nullable=False, comment="JSON: ids of the accounts that we had before."),
    Column("ok_at", UtcDateTime),
    Column("problem", Text),
    Column("problem_since", UtcDateTime),
    comment="How far each side has been polled, and how it is.",
)

cycle = Table(
    "cycle",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("finished", UtcDateTime),
    Column("outcome", Text, nullable=False),
    Column("counts", Text, nullable=False, comment="JSON: what was done, and how often."),
    Column("error", Text),
    Index("ix_cycle_started", "started", "id"),
    sqlite_autoincrement=True,
    comment="The cycles that ran.",
)

activity = Table(
    "activity",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("link_id", Integer, nullable=False, comment="Stays when the link is forgotten."),
    Column("side", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("items", Text, nullable=False, comment="JSON: the keys of what it carried."),
    Column("age", Float, comment="Seconds from the person's save to the arrival."),
    Column("cycle", UtcDateTime, nullable=False, comment="When the cycle began."),
    Index("ix_activity_at", "at", "id"),
    Index("ix_activity_link", "link_id", "at", "id"),
    sqlite_autoincrement=True,
    comment="What was written, without its content.",
)

request = Table(
    "request",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("link_id", Integer, comment="Stays when the link is forgotten."),
    Column("fingerprint", Text, nullable=False, comment="Of the stopped plan that is meant."),
    Column("arguments", Text, nullable=False, comment="JSON: what else the kind takes."),
    Column("state", Text, nullable=False),
    Column("taken_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("result", Text, nullable=False),
    Index("ix_request_at", "at", "id"),
    Index("ix_request_link", "link_id", "at", "id"),
    sqlite_autoincrement=True,
    comment="What people asked for, and what became of it.",
)

spell = Table(
    "spell",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("side", Text),
    Column("link_id", Integer, comment="Stays when the link is forgotten."),
    Column("item", Text, nullable=False, comment="The key of what of the ticket it is about."),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False, comment="Until when it was seen to last."),
    Column("over", Boolean, nullable=False),
    Index("ix_spell_over", "over", "until"),
    sqlite_autoincrement=True,
    comment="What lasted: a side that was down, something that was parked.",
)

lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("host", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    CheckConstraint("id = 1", name="single"),
    comment="Who may write. At most one row.",
)

fact = Table(
    "fact",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="Small things to be remembered.",
)

"""The store: what both sides last agreed on, and what is still to be done. SQLite by default, PostgreSQL likewise.

It never holds a text of a ticket: ids, numbers, fingerprints, states, markers and reasons only.

``store``         all of it, as the layers above see it: :class:`~itopsync.store.store.Store`, put together from
``links``         the links: what is due, written or in trouble
``tombstones``    those at their end
``attachments``   the attachments that are known
``polls``         what polls found: each side's state, and the tickets that are out of scope
``history``       the cycles that ran
``activity``      what was written, without its content
``requests``      what people ask the process at work for
``facts``         small facts
``leases``        the right to be the one writer

``database``      their transactions
``group_commit``  those of several threads as one
``connection``    how a database is reached, and what its failures are called
``tables``        how what they keep lies in the database
``partial``       its indexes of a part of a table
``rows``          links as rows and back
``codec``         bases, obstacles and marks as JSON
``records``       what is kept beside links, as plain values
``upsert``        insert or replace

``migrate``       its schema's revisions: a new one, an upgrade, a backup
``revisions``     what Alembic does of that
``upkeep``        whether it is sound, a copy of it, its lease while it is migrated
"""

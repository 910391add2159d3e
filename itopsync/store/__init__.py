"""The store: what both sides last agreed on, and what is still to be done. SQLite by default, or PostgreSQL.

It holds ids, numbers, fingerprints, states, markers and reasons, and never a ticket's text.

``store``         the whole, as the layers above see it: :class:`~itopsync.store.store.Store`, composed of the following
``links``         the links: which are due, being written or in trouble
``tombstones``    the links that have ended
``attachments``   the known attachments
``polls``         what polls found: each side's state, and the tickets that are out of scope
``history``       the cycles that ran
``activity``      what was written, without its content
``requests``      what people ask the running process to do
``spells``        how long a side was down, something was parked, and the like
``facts``         small named values
``leases``        the right to be the only writer

``database``      transactions
``group_commit``  the small transactions of several threads, committed as one
``connection``    how to connect to a database, and how its failures are reported
``tables``        the schema
``partial``       its partial indexes
``rows``          converts links to and from rows
``codec``         converts bases, obstacles and high-water marks to and from JSON
``records``       what is kept besides links, as frozen values
``upsert``        insert or replace

``migrate``       the schema's revisions: create, upgrade, back up
``revisions``     the part of that which needs Alembic
``upkeep``        integrity check, copy, and the lease during a migration
"""

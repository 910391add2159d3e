"""The store: what both sides last agreed on, and what is still to be done. SQLite by default, PostgreSQL likewise.

It never holds a text of a ticket: ids, numbers, fingerprints, states, markers and reasons only.

``store``        all of it, as the layers above see it: :class:`~itopsync.store.store.Store`
``records``      what it keeps beside links, as plain values
``tables``       how that lies in the database
``partial``      its indexes of a part of a table
``rows``         links as rows and back
``codec``        bases, obstacles and marks as JSON
``connection``   how a database is reached, and what its failures are called
``together``     small transactions of several threads carried out as one
``upsert``       insert or replace
``upkeep``       whether it is sound, a copy of it, its lease while it is migrated
``migrate``      its schema's revisions: a new one, an upgrade, a backup
``links``        the links: what is due, written or in trouble
``polling``      what polls found: each side's state, and the tickets that are out of scope
``attachments``  the attachments that are known
``leases``       the right to be the one writer
``history``      the cycles that ran, and small facts
"""

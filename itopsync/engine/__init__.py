"""One cycle: poll both sides, observe what is dirty, plan, check, apply, and keep what was agreed.

The way of a change:

``cycle``       the whole pass; also what would be done, without the writing
``poll``        what changed on one side since the cursor
``deletions``   which attachments went, found by counting and halving
``sweep``       everything looked at, whatever the polls have seen
``work``        what is due, worked on a piece after the other while the next one is observed
``backlog``     what is due, in its order
``planning``    what links need: copies looked for, both tickets read, a plan made
``copies``      the copies of links that wait for one
``observe``     what both sides show of a batch of links
``sight``       whether a side shows anything at all
``markers``     a side that loses our markers, remembered until it keeps them
``apply``       one plan carried out, whatever comes back
``progress``    what is known of a link meanwhile
``carry``       one action of it
``terms``       what a failure comes to
``fault``       a fault of ours that one ticket brings out
``again``       when a link is looked at again
``fitting``     how much one request may carry, after what was refused
``files``       the bytes of a file that is to be uploaded
``back_off``    whether and when something is tried again
``written``     what is told of each write
``report``      what one cycle did

What it stands on:

``belonging``   whether the store is this pair's, and the one that it had
``settings``    windows of time and sizes
``threads``     what runs beside what
``waiting``     waiting for an answer, unless told to stop
``budget``      how many bytes of files may be in flight
``lease``       the right to be the one writer

What operators ask for beside cycles:

``explain``     where everything on a link came from
``linking``     two existing tickets made a link by hand
``rebuild``     a store that is gone, found again in iTop
``tombstones``  which of them nobody needs any more
``unlinked``    why a ticket has no link
"""

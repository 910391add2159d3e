"""One cycle: poll both sides, observe what is due, plan, apply, and settle what was agreed.

The way of one changed ticket, stage by stage; ``cycle`` calls the five in this order, and nothing else does:

``poll``          what changed on each side since the cursor
``deletions``     which attachments went, found by counting and halving
``sweep``         everything looked at, whatever the polls have seen
``observe``       both tickets of each link that is due, and the copies of those that wait for one
``plan``          what each link needs, by the pure planner
``apply``         one plan carried out, action by action
``execute``       one action of it
``failures``      what comes instead of an answer
``settle``        what the link has become is stored, with when to look again

What carries them:

``cycle``         the five stages, what is counted, and what stops them
``workers``       the threads: one link each, with the next ones prepared meanwhile
``backlog``       what is due, in its order
``job``           one link on its way from its plan to the store
``pair``          both servers, the store, the rules and the clock
``settings``      windows of time and sizes
``threads``       what runs beside what
``retry``         whether and when something is tried again
``report``        what one cycle did

What guards them:

``lease``         the right to be the one writer
``store_guard``   whether the store is this pair's, and the one that it had
``scope``         what waits for its copy, after a change of the scope
``unwritable``    a side that is polled well and takes no writes
``visibility``    whether a side shows what it did
``pauses``        a side that a person wants left alone
``stops``         what a limit stopped, and what a person accepted of it
``marker_loss``   a side that loses our markers, remembered until it keeps them

What operators ask for beside cycles:

``inspect``       the same way, ended after the plan: what would be done, whether both sides agree
``steering``      what people ask for while cycles run
``story``         where everything on a link came from, or why a ticket has none
``linking``       two existing tickets made a link by hand
``rebuild``       a store that is gone, found again in iTop
``tombstones``    which of them nobody needs any more
"""

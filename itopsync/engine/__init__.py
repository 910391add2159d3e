"""One cycle: poll both sides, observe what is due, plan, apply, and settle what was agreed.

``cycle`` has these five stages in this order, ``inspect`` goes as far as the plan, and the modules between them serve the one
before:

``poll``          what changed on each side since the cursor
``scope``         which external tickets are to be copied, and which were already waiting when the scope was changed
``deletions``     which attachments were deleted, found by counting and halving
``reused``        what is seen under the ids of links that have ended; takes a copy from a link that still names it
``sweep``         looks at everything, whatever the polls have seen
``observe``       both tickets of each due link, and the copies of links that wait for one
``lookups``       what defaults depend on that is not on the ticket: asked once, or in batches
``plan``          what each link needs, by the pure planner
``apply``         carries out one plan, action by action
``execute``       one of its actions
``failures``      handles a failure instead of an answer
``settle``        stores what the link has become, with when to look again

What runs them:

``engine``        runs cycles, and keeps how each ended, and what lasts from one to the next
``cycle``         polls, and has the links that are due worked on
``polling``       polls, once more within a long cycle too, and takes note of what was found
``due_links``     takes the links that are due through the other four stages, and counts
``workers``       hands them to the threads, and has the next ones prepared meanwhile
``backlog``       what is due, in order
``job``           one link on its way from its plan to the store
``pair``          both servers, the store, the rules and the clock
``settings``      time windows and sizes
``threads``       the thread pools
``retry``         whether and when something is tried again
``report``        what one cycle did

What guards them:

``lease``         the right to be the one writer
``host_clock``    whether this host's clock was set: what was sent gets its whole time to land again
``in_use``        the configuration that the process at work has
``store_guard``   whether the store is this pair's, and the one that it had
``safeguard``     what the plans of a cycle come to, whether that is within the limits, and whether what is missing is gone
``availability``  which sides can be worked with
``unwritable``    a side that is polled well and takes no writes
``visibility``    whether a side shows what it did
``pauses``        a side that a person wants left alone
``stops``         what a limit stopped, and what a person accepted of it
``marker_loss``   a side that loses our markers, remembered until it keeps them

What operators ask for besides cycles:

``inspect``       the same way, ended after the plan: what would be done, whether both sides agree
``steering``      what people ask for while cycles run
``story``         where everything on a link came from, or why a ticket has none
``linking``       two existing tickets made a link by hand
``taking_over``   many such pairs, examined together
``proposing``     which tickets may be such pairs, for a person to approve
``rebuild``       a store that is gone, found again in iTop
"""

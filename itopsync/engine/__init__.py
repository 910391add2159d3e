"""One cycle: poll both sides, observe what is due, plan, apply, and settle what was agreed.

``cycle`` has these five stages in this order, ``inspect`` goes as far as the plan, and the modules between them serve the one
before:

``poll``          what changed on each side since the cursor
``scope``         which external tickets are to be copied, and which were already waiting when the scope was changed
``deletions``     which attachments were deleted, found by counting and halving
``reused``        tickets that appear under the ids of ended links; takes a copy from a link that still names it
``sweep``         looks at everything, whatever the polls have seen
``observe``       both tickets of each due link, and the copies of links that wait for one
``lookups``       what defaults depend on besides the ticket: looked up once, or in batches
``plan``          what each link needs, by the pure planner
``apply``         carries out one plan, action by action
``execute``       one of its actions
``failures``      handles failed actions
``writing``       what all links written in one cycle share
``settle``        stores what the link has become, with when to look again

What runs them:

``engine``        runs cycles, and records how each ended and what lasts from one to the next
``cycle``         one cycle: polls, then has the due links worked on
``polling``       polls at the start of a cycle and again within a long one, and stores what was found
``due_links``     takes the due links through the other four stages, and counts them
``workers``       distributes links to the threads, and has the next batch prepared meanwhile
``backlog``       the due links, in order
``job``           one link on its way from its plan to the store
``pair``          both servers, the store, the rules and the clock
``settings``      time windows and sizes
``threads``       the thread pools
``retry``         whether and when a failed item is tried again
``report``        what one cycle did

What guards them:

``lease``         the right to be the only writer
``host_clock``    whether this host's clock was set; if so, pending writes get their full landing time again
``in_use``        the configuration that the running process uses
``store_guard``   whether the store belongs to this pair and is complete
``safeguard``     adds up a cycle's plans, holds them to the limits, and checks that missing tickets are really gone
``availability``  which sides can be worked with
``unwritable``    a side that answers polls but accepts no writes
``visibility``    whether a side shows our account less than before
``pauses``        the sides that a person wants left alone
``stops``         what a limit stopped, and how much of it a person accepted
``marker_loss``   the sides that lose our markers, remembered until they keep them

What operators ask for besides cycles:

``inspect``       the same stages, up to the plan: what a cycle would do, whether both sides agree
``steering``      carries out requests while cycles run
``story``         where everything on a link came from, or why a ticket has no link
``linking``       links two existing tickets by hand
``taking_over``   many such pairs, examined together
``proposing``     tickets that may be such pairs, for a person to approve
``rebuild``       recovers a lost store from iTop
"""

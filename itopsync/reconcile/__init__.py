"""The pure middle: what two servers show, against what they last agreed on, makes a plan.

No module in here does I/O, reads a clock or draws a random number.

``planner``         the whole decision on one link; the parts of a ticket come from the four below
``files``           which attachments are copied, and which follow their counterpart
``notes``           which entries of the logs have not arrived, and how they read on the other side
``form``            which fields have changed
``state``           which side moved, and which follows
``lifecycle``       through which transitions it follows: no part, ``state`` asks it
``creation``        the copy of a ticket that has none yet, which has no parts

What they work from, and what they make:

``situation``       one link, what both sides show of it, the look-ups, the rules and the time
``part``            what one kind of content contributes to a plan
``plan``            the actions, and what is left undone, with the reasons
``batching``        the content in requests, as few as iTop allows
``room``            what fits into one request
``agree``           how the base changes once an action was answered
``rules``           the rules of one pair
``defaults``        the values that nobody chose, by the first route that fits
``normalising``     Unicode normalisation, in linear time
``moments``         dates as moments, if they are plausible

Texts and pictures:

``richtext``        what a text says, which pictures it shows, how it reads on the other server
``markup``          reads HTML
``whitelist``       writes the HTML that every iTop keeps
``gate``            what must not leave with a text
``addresses``       a server's addresses, however they are spelt
``images``          which picture is shown
``pictures``        plans the uploads of the pictures that a text needs

Copies and originals:

``markers``         how what we write names its original
``ticket_markers``  what the markers of a ticket say about whose copy it is
``unmarked``        recognises what a server stored without its marker
``entries``         tells people's entries from ours
``copies``          which file is the copy of which
``restored``        a ticket that shows itself as it was before
``copied``          what another bridge or a person had copied before
``authors``         which accounts were ours, once the store is lost
``route``           through which servers a ticket came
``rebuilding``      the base, once it is lost

The life of a link:

``identity``        whether a ticket is still the one that was linked
``ends``            why a link ends, and what follows if a ticket is seen again
``by_hand``         what an operator may do to it
``link_notices``    the notice of a link that a person made or ended
``notices``         what is parked, told on the internal ticket
``safety``          what stops a whole cycle
"""

"""The pure middle: compares what two servers show with what they last agreed on, and makes a plan.

No module in here does I/O, reads a clock or draws a random number.

``planner``         the whole decision on one link; the parts of a ticket come from the next four
``files``           which attachments are copied, and which follow their counterpart
``notes``           which entries of the logs have not arrived, and how they read on the other side
``form``            which fields have changed
``state``           which side moved, and which follows
``lifecycle``       through which transitions it follows; not a part, but used by ``state``
``creation``        the copy of a ticket that has none yet, and so no parts

What they work from, and what they produce:

``situation``       one link, what both sides show of it, the look-ups, the rules and the time
``part``            what one kind of content contributes to a plan
``plan``            the actions, and what is left undone, with the reasons
``batching``        puts the content into requests, as few as iTop allows
``room``            what fits into one request
``agree``           how the base changes once an action has been answered
``rules``           the rules of one pair
``defaults``        the values that nobody chose, taken from the first route that fits
``normalising``     Unicode normalisation, in linear time
``moments``         parses dates, and tells whether they are plausible

Texts and pictures:

``richtext``        what a text says, which pictures it shows, and how it reads on the other server
``markup``          reads HTML
``whitelist``       writes the HTML that every iTop keeps
``plaintext``       a text as a server has it that has no HTML there
``gate``            what must never leave with a text
``addresses``       finds a server's addresses, however they are spelt
``images``          which picture is shown
``pictures``        plans the uploads of the pictures that a text shows

Copies and originals:

``markers``         how everything we write names its original
``ticket_markers``  what a ticket's markers say about whose copy it is
``unmarked``        recognises what a server stored without its marker
``entries``         distinguishes people's entries from ours
``copies``          which file is the copy of which
``restored``        a ticket that a restored server shows in an older state
``copied``          what another bridge or a person had copied before
``authors``         which accounts were ours, after the store was lost
``route``           through which servers a ticket came
``rebuilding``      a new base, after the store was lost

The life of a link:

``identity``        whether a ticket is still the one that was linked
``ends``            why a link ends, and what happens if a ticket is seen again
``by_hand``         what an operator may do to a link
``link_notices``    the notice of a link that a person made or ended
``notices``         the notice of what is parked, on the internal ticket
``safety``          what stops a whole cycle
"""

"""Compares both servers independently of the planner, as the second half of `itopsync verify`.

A planner that overlooks something plans nothing, which looks like agreement. So this package reads both tickets of a link again
and compares them by simple means of its own: words without white space, extracted with the standard library's parser, and
markers by name. It shares the planner's rules, but none of its decisions.

``comparing``  reads links and compares them
``reading``    reads both tickets from their servers
``parsing``    parses HTML in linear time
``words``      what a text says, and which pictures it shows
``beginning``  how a note begins
``entries``    the logs: each person's entry and its mirror on the other side
``secrets``    notes kept in internal
``form``       the form, the companions of a state, the state
``files``      the attachments
``pictures``   the pictures in texts, by their bytes
``findings``   what was found
``strays``     internal tickets that are marked as copies, but to which no link leads
"""

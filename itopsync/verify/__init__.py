"""Both servers held against each other without the planner: what `itopsync verify` does beside asking it what it would write.

A planner that overlooks something plans nothing, and would call that agreement. So this reads both tickets of a link once
more and compares them with means of its own, and as simple as can be: words without white space, by the standard library's
parser; marks by their name alone. Of what decides what is written it knows the rules, and nothing else.

``comparing``  links, read and compared
``reading``    what is read of both servers
``words``      what a text says, and which pictures it shows
``beginning``  how a note begins
``entries``    the logs: each entry of a person, and the one that it has on the other side
``secrets``    notes that are kept in internal
``form``       the form, the companions of a state, the state
``files``      the attachments
``pictures``   the pictures in texts, by their bytes
``findings``   what is found
"""

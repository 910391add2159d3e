"""itopsync keeps two Combodo iTop servers in step.

Read the packages from the bottom up; each may use only what stands below it:

``cli``                       the commands that operators type
``demo``                      a service desk's day on two simulated servers
``web``                       the console: pages from the store, and requests to it
``daemon`` ``status``         the service that runs cycles; the current status
``check`` ``evidence``        checks of the setup; the monthly report
``config``                    reads and checks ``sync.toml``, compiles classes and servers
``watch``                     metrics, health, and notifying a person when one is needed
``engine``                    one cycle: poll, observe, plan, apply, settle
``verify``                    compares both servers, independently of the planner
``itop`` ``store``            the two I/O edges: iTop's REST API, and the database
``reconcile``                 the pure middle: from what both sides show to what must be done
``settings``                  the building blocks of ``sync.toml``'s tables
``exits`` ``logs`` ``programs``  exit codes, logging, and starting other programs
``errors``                    what can go wrong
``model``                     the values that pass between layers

``simulator`` stands apart: an iTop that runs in memory, for the demo and the tests.
"""

__version__ = "0.1.0"

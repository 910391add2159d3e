"""itopsync keeps two Combodo iTop servers in step.

Read the packages from the bottom up; each may use only what stands below it:

``cli``                       the commands that operators type
``demo``                      a service desk's day on two simulated servers
``web``                       the console: pages from the store, and requests to it
``daemon`` ``status``         what runs for long, and how it is now
``check`` ``evidence``        whether everything is set up; what was delivered in a month
``config``                    ``sync.toml`` read and checked; classes and servers compiled
``watch``                     metrics, health, and calling a person when one is needed
``engine``                    one cycle: poll, observe, plan, apply, settle
``verify``                    both servers held against each other, without what plans
``itop`` ``store``            the two I/O edges: iTop's REST API, and the database
``reconcile``                 the pure middle: from what is there to what is to be done
``settings``                  what the tables of ``sync.toml`` are made of
``exits`` ``logs`` ``programs``  the exit codes; how events are logged, and programs started
``errors``                    what can go wrong
``model``                     the values that pass between layers

``simulator`` stands apart: an iTop that runs in memory, for the demo and the tests.
"""

__version__ = "0.1.0"

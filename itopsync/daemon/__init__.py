"""``itopsync run`` and ``run-all``: the service that runs cycles on a schedule.

``loop``        the main loop: stand by until the lease is ours, then run cycles
``cycles``      schedules the cycles, with APScheduler
``asked``       notices and carries out what people ask for
``listeners``   who is notified when a cycle ends
``reloading``   reloads the configuration
``supervisor``  runs several pairs, each in its own process
``signals``     signals to stop or reload
``systemd``     notifications to systemd
"""

from itopsync.daemon.listeners import Ended, Listener
from itopsync.daemon.loop import run
from itopsync.daemon.signals import Signals

__all__ = ["Ended", "Listener", "Signals", "run"]

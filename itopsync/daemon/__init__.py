"""``itopsync run``: cycles by the clock, for years.

``loop``        the loop: stand by until the lease is ours, then cycle after cycle
``cycles``      when which cycle runs: APScheduler
``asked``       what people have asked for
``listeners``   who is told how each cycle ended
``reloading``   the configuration, read anew
``signals``     what we are told
``systemd``     what systemd is told
"""

from itopsync.daemon.listeners import Ended, Listener
from itopsync.daemon.loop import run
from itopsync.daemon.signals import Signals

__all__ = ["Ended", "Listener", "Signals", "run"]

"""``itopsync run``: cycles by the clock, for years.

``listeners``   who is told how each cycle ended
``loop``        the loop
"""

from itopsync.daemon.listeners import Ended, Listener
from itopsync.daemon.loop import run

__all__ = ["Ended", "Listener", "run"]

"""Watching over it: metrics, health, and calling a person when one is needed.

``watch``      hears how each cycle ended, and tells the others
``metrics``    what Prometheus is told
``endpoint``   ``/metrics`` and ``/healthz`` over HTTP
``textfile``   the same as a file, for node_exporter
``needs``      what a person is needed for
``hooks``      telling it, once, and not too often
``delivery``   the ways out: a command, a web address
``settings``   what can be configured of it
"""

from importlib import import_module
from typing import TYPE_CHECKING

from itopsync.watch.settings import HooksSettings, MetricsSettings, Need, Receiver

if TYPE_CHECKING:
    from itopsync.watch.watch import Watch

__all__ = ["HooksSettings", "MetricsSettings", "Need", "Receiver", "Watch"]


def __getattr__(name: str) -> object:
    if name != "Watch":  # loaded when it is first asked for: what only reads its settings does without it
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.watch").Watch

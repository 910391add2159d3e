"""Watching over it: metrics, health, and calling a person when one is needed.

``watch``      hears how each cycle ended, and tells the others
``metrics``    what Prometheus is told
``endpoint``   ``/metrics`` and ``/healthz`` over HTTP
``textfile``   the same as a file, for node_exporter
``needs``      what a person is needed for
``hooks``      telling it, once, and not too often
``ways``       which ways out are configured
``delivery``   a command, a web address
``alerts``     chat, e-mail and the like, by Apprise
``settings``   what can be configured of it
"""

from itopsync.watch.settings import HooksSettings, MetricsSettings, Need, Receiver

__all__ = ["HooksSettings", "MetricsSettings", "Need", "Receiver"]

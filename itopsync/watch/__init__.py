"""Monitoring: metrics, health, and notifying a person when one is needed.

``watch``      follows each cycle's end, and drives the others
``metrics``    the metrics for Prometheus
``endpoint``   ``/metrics`` and ``/healthz`` over HTTP
``textfile``   the same as a file, for node_exporter
``needs``      what a person is needed for
``hooks``      notifies people, once for each thing, and not too often
``ways``       the configured ways of delivery
``delivery``   a command, a web address
``alerts``     chat, e-mail and the like, by Apprise
``settings``   the configuration
"""

from itopsync.watch.settings import HooksSettings, MetricsSettings, Need, Receiver

__all__ = ["HooksSettings", "MetricsSettings", "Need", "Receiver"]

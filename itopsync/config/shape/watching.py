"""Who watches: metrics, and who is called when a person is needed."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from itopsync.config.quantities import Duration
from itopsync.config.shape.base import Section, Text
from itopsync.config.shape.servers import PasswordSource
from itopsync.watch.settings import HooksSettings, Need

_HOOKS = HooksSettings()


class MetricsSection(Section):
    """Where monitoring finds metrics. Off as it stands."""

    listen: Text | None = None
    """Address and port of an HTTP endpoint with `/metrics` for Prometheus and `/healthz`, such as `"127.0.0.1:9464"`; used by
    `itopsync run`. Default: none. Must be of this machine alone, unless `allow_remote` says otherwise."""
    allow_remote: Text | None = None
    """Lets others ask too, by name: must be the very address in `listen`, such as `"0.0.0.0"`. What they see names no ticket."""
    textfile: Text | None = None
    """File for the textfile collector of node_exporter, written after each cycle; its name ends in `.prom`. What suits
    `run-once`. A relative path begins at the folder of `sync.toml`."""
    max_age: Duration | None = None
    """While the last good cycle is no older, `/healthz` answers 200, and else 503. Default: three times the longer of
    `schedule.poll` and `schedule.poll_quiet`, and at least five minutes; with a cron expression it must be given."""


class ReceiverSection(PasswordSource):
    """A web address."""

    url: Text | None = None
    """Where to. `{password}` in it stands for the password, for services whose addresses are secret; without it, a password is
    sent as `Authorization: Bearer`. Must be `https://`, but for this machine itself."""
    allow_http: Text | None = None
    """Allows `http://`, by the host's name: must be the very host in `url`."""
    ca_file: Text | None = None
    """PEM file of the certificates to trust instead of the public ones."""


Argument = Annotated[str, StringConstraints(min_length=1)]


class HooksSection(Section):
    """Who is called when a person is needed. Nobody as it stands. A hook never delays a cycle, and never sees a ticket's text."""

    command: tuple[Argument, ...] = ()
    """A program, by its whole path, and its arguments; no shell reads them. It is told in JSON on its standard input, and in its
    environment."""
    events: tuple[Need, ...] = tuple(Need)
    """What to call for: a parked ticket, a safety limit that stopped the cycle, a side that is down for long, a cycle that failed
    otherwise."""
    every: Duration = _HOOKS.every
    """So much time is at least between two calls for the same kind of event; what comes meanwhile is told in one."""
    side_down: Duration = _HOOKS.side_down
    """How long a side may be down before a person is called."""
    timeout: Duration = _HOOKS.timeout
    """How long the command or a receiver may take."""
    webhook: ReceiverSection = ReceiverSection()
    """`webhook` gets each call as JSON, by POST."""
    dead_man: ReceiverSection = ReceiverSection()
    """`dead_man` is asked by GET after each good cycle: a service that raises the alarm when that stays away."""

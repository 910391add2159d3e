"""The configuration of monitoring: ``[metrics]`` and ``[hooks]`` of ``sync.toml``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator

from itopsync.errors import clip
from itopsync.settings.addresses import (
    Certificates,
    check_is_private,
    host_and_port,
    is_host,
    is_loopback,
    located,
    read_listen,
)
from itopsync.settings.quantities import Duration, Span
from itopsync.settings.secrets import WAYS, PasswordSource, Secret, no_password
from itopsync.settings.section import PATH, Name, Section, Text, Wrong

_PLACE = "{password}"


class Need(StrEnum):
    """What a person is notified of."""

    PARKED = "parked"
    """An item of a ticket will not get across unless somebody acts."""
    SAFETY_STOP = "safety_stop"
    """A safety limit stopped the cycle."""
    SIDE_DOWN = "side_down"
    """A side has been down for too long."""
    CYCLE_FAILED = "cycle_failed"
    """Something else stopped the cycle."""


def _check_textfile(path: Path, info: ValidationInfo) -> Path:
    if info.context is None:
        return path
    found = located(info.context.folder, path)
    if found.suffix != ".prom":
        remedy = "End its name in .prom: node_exporter reads only such files"
        raise Wrong(f"{clip(str(found), 120)} does not end in .prom", remedy)
    if not os.path.isdir(found.parent):
        remedy = "Use node_exporter's --collector.textfile.directory, and let this account write there"
        raise Wrong(f"there is no folder {clip(str(found.parent), 120)}", remedy)
    return found


class MetricsSettings(Section):
    """Metrics for monitoring. Off by default."""

    listen: Annotated[Text, AfterValidator(read_listen)] = Field(default="", examples=["127.0.0.1:9464"])
    """Address and port of an HTTP endpoint with `/metrics` for Prometheus and `/healthz`, such as `"127.0.0.1:9464"`; used by
    `itopsync run`. Default: none. Must be a loopback address, unless `allow_remote` allows another."""
    allow_remote: Text | None = Field(default=None, examples=["192.0.2.10"])
    """Allows other machines to connect: must be the same address as in `listen`, such as `"192.0.2.10"`. The metrics name no
    ticket."""
    textfile: Annotated[Path, AfterValidator(_check_textfile), PATH] | None = Field(
        default=None, examples=["/var/lib/prometheus/node-exporter/itopsync.prom"]
    )
    """File for the textfile collector of node_exporter, written after each cycle, for `run-once`; its name ends in `.prom`. A
    relative path starts at the folder of `sync.toml`."""
    max_age: Duration = timedelta(minutes=5)
    """`/healthz` returns 200 while the last good cycle is no older than this, and 503 otherwise. The default is at least three
    times `schedule.poll_quiet`; if `schedule.poll` is a cron expression, it must be given."""

    @model_validator(mode="after")
    def _check_remote(self) -> Self:
        host, allowed = self.host, self.allow_remote
        if allowed is not None and host is None:
            raise Wrong("there is no address to listen on", "Set metrics.listen too, or remove it", "allow_remote")
        if allowed is not None and allowed != host:
            remedy = f'Write allow_remote = "{host}", or remove it'
            raise Wrong(f"'{clip(allowed, 60)}' is not the address in listen", remedy, "allow_remote", beside="listen")
        if host is not None and allowed is None and not is_loopback(host):
            remedy = f'Write 127.0.0.1, or allow it with allow_remote = "{host}"'
            raise Wrong("other machines could connect", remedy, "listen")
        return self

    @property
    def host(self) -> str | None:
        """The address to listen on; None for no endpoint."""
        return host_and_port(self.listen)[0] or None

    @property
    def port(self) -> int:
        return host_and_port(self.listen)[1]


def _check_web_address(text: str) -> str:
    url = text.replace(_PLACE, "password")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and is_host(parts) and parts.port != 0 and parts.username is None
        usable = usable and _PLACE not in urlsplit(text).netloc
    except ValueError:
        usable = False
    if text and not (usable and url.isascii() and url.isprintable() and " " not in url and "#" not in url):
        # not quoted, since it may contain a secret
        raise Wrong("it is not a web address", "Write it like https://alerts.example.com/itopsync")
    return text


class Receiver(PasswordSource):
    """A web address that receives requests."""

    url: Annotated[Text, AfterValidator(_check_web_address)] = Field(
        default="", repr=False, examples=["https://alerts.example.com/{password}"]
    )
    """The address. `{password}` in it is replaced by the password, for services whose addresses are secret; without it, the
    password is sent as `Authorization: Bearer`. Must be `https://`, except for this machine."""
    allow_http: Text | None = Field(default=None, examples=["alerts.example.com"])
    """Allows `http://` for one host: must be the same host as in `url`."""
    ca_file: Certificates | None = Field(default=None, examples=["/etc/ssl/certs/example.pem"])
    """PEM file of the certificates to trust instead of the public ones."""

    @model_validator(mode="after")
    def _check_private(self, info: ValidationInfo) -> Self:
        if self.url and info.context is not None:
            check_is_private(self.url, self.allow_http)
        return self

    def lacking(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if not self.url:
            others = self.model_fields_set - {"url"}
            yield ("url",), f"Write the address, or remove {min(others, default='this table')}"
        elif _PLACE in self.url and not any(getattr(self, way) for way in WAYS):
            yield no_password()

    @property
    def address(self) -> Secret:
        """The address, with the password filled in."""
        return Secret(self.url.replace(_PLACE, quote(self.secret.reveal(), safe="/", errors="surrogateescape")))

    @property
    def token(self) -> Secret | None:
        """The password to send as ``Authorization: Bearer``; None if there is none, or the address contains it."""
        return self.secret if self.secret.reveal() and _PLACE not in self.url else None


class Alert(PasswordSource):
    """A service that Apprise reaches. Its whole address is a secret."""

    @model_validator(mode="after")
    def _check_installed(self, info: ValidationInfo) -> Self:
        if info.context is not None and find_spec("apprise") is None:
            raise Wrong("Apprise, which sends alerts, is not installed", "Install itopsync[alerts]")
        return self

    def lacking(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if not any(getattr(self, way) for way in WAYS):
            yield no_password()[0], f"Name the source of its address by {', '.join(WAYS[:-1])} or {WAYS[-1]}"


def _check_command(command: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if not command or info.context is None:
        return command
    program = Path(command[0])  # not quoted, since a whole line with a token may stand there
    if not program.is_absolute() or any("\0" in part for part in command):
        raise Wrong(
            "it does not begin with the full path of a program", 'Write it like ["/usr/local/bin/page-somebody", "--quiet"]'
        )
    if not os.access(program, os.X_OK) or program.is_dir():
        raise Wrong("the program that it names cannot be run", "Check the path, and that this account may run it")
    return command


Argument = Annotated[str, StringConstraints(min_length=1)]


class HooksSettings(Section):
    """How people are notified when they are needed. Off by default. Hooks never delay a cycle, and never get a ticket's text."""

    command: Annotated[tuple[Argument, ...], AfterValidator(_check_command)] = Field(
        default=(), examples=[["/usr/local/bin/page-somebody", "--quiet"]]
    )
    """A program, by its full path, and its arguments; it is run without a shell. It gets the notification as JSON on standard
    input, and in its environment."""
    events: tuple[Need, ...] = tuple(Need)
    """What to notify of: a parked item, a safety limit that stopped the cycle, a side that is down for long, a cycle that failed
    otherwise."""
    every: Span = timedelta(minutes=15)
    """The minimum time between two notifications of the same kind; what comes up meanwhile is sent in one."""
    side_down: Span = timedelta(minutes=15)
    """How long a side may be down before people are notified."""
    timeout: Span = timedelta(seconds=10)
    """How long the command or a receiver may take."""
    webhook: Receiver | None = None
    """`webhook` gets each notification as JSON, by POST."""
    alerts: dict[Name, Alert] = Field(default={})
    """`alerts.<name>` gets each notification as a message, by [Apprise](https://appriseit.com/services/): Slack, Microsoft Teams,
    e-mail and many others, each under a name of your choice. The whole address, such as `slack://…` or `mailtos://…`, is a
    secret: these keys name its source, as for a password. Needs the extra `itopsync[alerts]`."""
    dead_man: Receiver | None = None
    """`dead_man` is a service that gets a GET after each good cycle, and raises the alarm when it does not."""

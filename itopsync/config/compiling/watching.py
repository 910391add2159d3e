"""``[metrics]`` and ``[hooks]``, compiled to what watches."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from itopsync.config.compiling.addresses import check_is_private, is_host, is_loopback
from itopsync.config.compiling.context import Context
from itopsync.config.compiling.secrets import read_password
from itopsync.config.compiling.servers import read_certificates
from itopsync.config.quantities import write_duration
from itopsync.config.shape import HooksSection, MetricsSection, ReceiverSection, ScheduleSection
from itopsync.errors import clip
from itopsync.itop.settings import Secret
from itopsync.watch.settings import HooksSettings, MetricsSettings, Receiver

_PLACE = "{password}"
_HIGHEST_PORT = 65_535
_SHORTEST_MAX_AGE = timedelta(minutes=5)


def compile_metrics(section: MetricsSection, schedule: ScheduleSection, context: Context) -> MetricsSettings:
    """Check where metrics are to be had."""
    host, port = _listen(section, context)
    return MetricsSettings(host, port, _textfile(section.textfile, context), _max_age(section, schedule, context))


def compile_hooks(section: HooksSection, context: Context) -> HooksSettings:
    """Check who is called, and how often."""
    for name in ("every", "side_down", "timeout"):
        if getattr(section, name) < timedelta(seconds=1):
            context.faults.add(f"hooks.{name}", "that is no time at all", 'Write at least "1s"')
    timeout = section.timeout.total_seconds()
    return HooksSettings(
        _command(section.command, context),
        _receiver(section.webhook, "hooks.webhook", timeout, context),
        _receiver(section.dead_man, "hooks.dead_man", timeout, context),
        frozenset(section.events),
        section.every,
        section.side_down,
        section.timeout,
    )


def _max_age(section: MetricsSection, schedule: ScheduleSection, context: Context) -> timedelta:
    slowest = max(schedule.poll, schedule.poll_quiet) if isinstance(schedule.poll, timedelta) else None
    if section.max_age is not None:
        if slowest is not None and section.max_age <= slowest:
            remedy = (
                f"Make it a few times schedule.poll and schedule.poll_quiet, of which the longer is {write_duration(slowest)}"
            )
            context.faults.add("metrics.max_age", "no cycle comes so often in quiet hours", remedy)
        return section.max_age
    if slowest is not None:
        return max(_SHORTEST_MAX_AGE, 3 * slowest)
    if section.listen:
        context.missing("metrics.max_age", "Say how old the last good cycle may be, where schedule.poll is a cron expression")
    return _SHORTEST_MAX_AGE


def _listen(section: MetricsSection, context: Context) -> tuple[str | None, int]:
    if not section.listen:
        if section.allow_remote is not None:
            context.faults.add("metrics.allow_remote", "nothing is listened on", "Write metrics.listen too, or remove it")
        return None, 0
    host, colon, port = section.listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= len(str(_HIGHEST_PORT)) else 0
    if not colon or not _is_address(host) or not 0 < number <= _HIGHEST_PORT:
        what = f"{clip(repr(section.listen), 60)} is no address with a port"
        context.faults.add("metrics.listen", what, 'Write it like "127.0.0.1:9464" or "[::1]:9464"')
        return None, 0
    if section.allow_remote is not None and section.allow_remote != host:
        what = f"'{clip(section.allow_remote, 60)}' is not the address in listen"
        context.faults.add("metrics.allow_remote", what, f'Write allow_remote = "{host}", or remove it')
    elif section.allow_remote is None and not is_loopback(host):
        remedy = f'Write 127.0.0.1, or allow it with allow_remote = "{host}"'
        context.faults.add("metrics.listen", "others could ask too", remedy)
    return host, number


def _is_address(host: str) -> bool:
    try:
        return bool(host) and is_host(urlsplit(f"//[{host}]" if ":" in host else f"//{host}"))
    except ValueError:
        return False


def _textfile(name: str | None, context: Context) -> Path | None:
    if not name:
        return None
    path = context.folder / Path(name).expanduser()
    if path.suffix != ".prom":
        remedy = "Let its name end in .prom: node_exporter reads no other"
        context.faults.add("metrics.textfile", f"{clip(str(path), 120)} is no file that is read", remedy)
    elif not _is_folder(path.parent):
        remedy = "Name the folder in --collector.textfile.directory of node_exporter, and let this account write there"
        context.faults.add("metrics.textfile", f"there is no folder {clip(str(path.parent), 120)}", remedy)
    return path


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _command(command: tuple[str, ...], context: Context) -> tuple[str, ...]:
    if not command:
        return ()
    program, shown = Path(command[0]), clip(repr(command[0]), 120)
    if not program.is_absolute() or any("\0" in part for part in command):
        remedy = 'Write it like ["/usr/local/bin/page-somebody", "--quiet"]'
        context.faults.add("hooks.command", f"{shown} is not the whole path of a program", remedy)
    elif not os.access(program, os.X_OK) or program.is_dir():
        context.faults.add("hooks.command", f"{shown} cannot be run", "Check the path, and that this account may run it")
    return command


def _receiver(section: ReceiverSection, place: str, timeout: float, context: Context) -> Receiver | None:
    given = [name for name in type(section).model_fields if name != "url" and getattr(section, name) is not None]
    if not section.url:
        if given and not context.faults.known(f"{place}.url"):
            context.missing(f"{place}.url", f"Write where to, or remove {given[0]}")
        return None
    password = read_password(section, place, context, needed=_PLACE in section.url)
    if not _is_web_address(section.url):
        remedy = "Write it like https://alerts.example.com/itopsync"
        context.faults.add(f"{place}.url", "it is no web address", remedy)  # not quoted: it may hold a secret
        return None
    check_is_private(section.url, section.allow_http, place, context)
    text = password.reveal()
    url = section.url.replace(_PLACE, quote(text, safe="/", errors="surrogateescape"))
    token = password if text and _PLACE not in section.url else None
    return Receiver(Secret(url), token, read_certificates(section.ca_file, f"{place}.ca_file", context), timeout)


def _is_web_address(text: str) -> bool:
    url = text.replace(_PLACE, "password")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and is_host(parts) and parts.port != 0 and parts.username is None
    except ValueError:
        return False
    return (
        usable
        and _PLACE not in urlsplit(text).netloc
        and url.isascii()
        and url.isprintable()
        and " " not in url
        and "#" not in url
    )

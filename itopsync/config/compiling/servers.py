"""One server's table, compiled to what the client and what the reconciler must know about it."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

from itopsync.config.compiling.addresses import check_is_private, identity, read_address
from itopsync.config.compiling.context import Context, meant_or
from itopsync.config.compiling.secrets import read_password
from itopsync.config.quantities import write_duration, write_size
from itopsync.config.shape import LimitsSection, ServerSection
from itopsync.errors import clip
from itopsync.itop.dates import pattern
from itopsync.itop.settings import Login, ServerSettings
from itopsync.model import Side
from itopsync.reconcile.rules import SideRules

_PARTS = (("Y", "y"), ("m",), ("d",), ("H", "h"), ("i",))
_PART_NAMES = ("year", "month", "day", "hour", "minute")
_UTC = ZoneInfo("UTC")
_LEAST_REQUEST = 1_000_000
"""Bytes of a request into which two texts of 65,535 characters fit, whatever they are written in."""
_AROUND_A_FILE = 100_000
"""Bytes of an answer beside the file that it carries."""


def compile_server(section: ServerSection, side: Side, limits: LimitsSection, context: Context) -> ServerSettings:
    """Compile what the client must know."""
    url = _required_address(section, side, context)
    if url:
        check_is_private(url, section.allow_http, side, context)
    _check_sizes_and_times(section, side, limits, context)
    return ServerSettings(
        side,
        url,
        _username(section, side, context),
        read_password(section, side, context),
        section.login,
        _timezone(section.timezone, f"{side}.timezone", context),
        _date_format(section.date_format, f"{side}.date_format", context),
        read_certificates(section.ca_file, f"{side}.ca_file", context),
        section.connect_timeout.total_seconds(),
        section.read_timeout.total_seconds(),
        section.write_timeout.total_seconds(),
        section.max_answer,
        section.max_request,
        section.batch,
        section.connections,
        section.read_tries,
        section.comment,
    )


def compile_side(section: ServerSection, settings: ServerSettings, context: Context) -> SideRules:
    """Compile what the reconciler must know."""
    side = settings.side
    public = read_address(section.public_url, f"{side}.public_url", context) if section.public_url else settings.url
    label = section.label or side.capitalize()
    rules = SideRules(label, settings.url, public, settings.timezone, MappingProxyType(dict(section.defaults)))
    return rules if section.max_request is None else replace(rules, request_bytes=section.max_request)


def check_they_differ(external: ServerSettings, internal: ServerSettings, context: Context) -> None:
    """Two sides that are one server would copy its tickets onto itself."""
    if external.url and internal.url and identity(external.url) == identity(internal.url):
        context.faults.add("internal.url", "both sides are the same server", "Write the address of the company's own server")


def has_seconds(date_format: str) -> bool:
    """Whether a date format shows seconds."""
    return "s" in pattern(date_format).groupindex


def _required_address(section: ServerSection, side: Side, context: Context) -> str:
    if not section.url:
        context.missing(f"{side}.url", "Write the server's address, like https://desk.example.com/itop")
        return ""
    return read_address(section.url, f"{side}.url", context)


def _username(section: ServerSection, side: Side, context: Context) -> str:
    name = section.username or ""
    if section.login is Login.TOKEN:
        return name
    if not name:
        context.missing(f"{side}.username", "Name the account of itopsync on that server")
    elif not name.isprintable():
        context.faults.add(f"{side}.username", "it holds characters that cannot be typed", "Write the account's login")
    elif section.login is Login.BASIC and ":" in name:
        context.faults.add(f"{side}.username", "HTTP Basic takes no name with a colon", 'Use login = "form"')
    return name


def _timezone(name: str | None, key: str, context: Context) -> ZoneInfo:
    if not name:
        context.missing(
            key, "Write the timezone of that iTop's configuration, such as \"Europe/Paris\", which is iTop's own default"
        )
        return _UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        remedy = meant_or(name, available_timezones(), 'Write it like "Europe/Paris"')
        context.faults.add(key, f"there is no timezone {clip(repr(name), 60)}", remedy)
        return _UTC


def _date_format(text: str, key: str, context: Context) -> str:
    try:
        found = pattern(text).groupindex
    except ValueError as error:
        remedy = "Copy date_and_time_format out of that iTop's configuration; known are Y y m n d j H G h g i s A a"
        context.faults.add(key, str(error), remedy)
        return "Y-m-d H:i:s"
    lacking = [name for name, letters in zip(_PART_NAMES, _PARTS, strict=True) if not any(letter in found for letter in letters)]
    if "h" in found and "a" not in found:
        lacking.append("half of the day")
    if lacking:
        remedy = "Copy date_and_time_format out of that iTop's configuration"
        context.faults.add(key, f"{clip(repr(text), 60)} shows no {' and no '.join(lacking)}", remedy)
    return text


def read_certificates(name: str | None, key: str, context: Context) -> Path | None:
    """The file of certificates to trust, checked that it holds some."""
    if name is None:
        return None
    path = context.folder / Path(name).expanduser()
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        context.faults.add(key, f"{clip(str(path), 120)} holds no certificate in PEM", "Name a PEM file of certificates")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no path"
        context.faults.add(key, f"{clip(str(path), 120)} cannot be read: {reason}", "Check the path and who may read it")
    return path


def _check_sizes_and_times(section: ServerSection, side: Side, limits: LimitsSection, context: Context) -> None:
    for name in ("connect_timeout", "read_timeout", "write_timeout"):
        if getattr(section, name) <= timedelta(0):
            context.faults.add(f"{side}.{name}", "without time there is no answer", 'Write a duration such as "30s"')
    if section.write_timeout >= limits.settle:
        settle = write_duration(limits.settle)
        remedy = f"Make it shorter, or limits.settle longer, which is {settle}"
        context.faults.add(f"{side}.write_timeout", "a write could still land after limits.settle", remedy)
    if section.max_request is not None and section.max_request < _LEAST_REQUEST:
        remedy = f"Make it at least {_LEAST_REQUEST:,} bytes, and post_max_size of that server's PHP too"
        context.faults.add(f"{side}.max_request", "it leaves no room for a long description", remedy)
    least = limits.file_size * 4 // 3 + _AROUND_A_FILE
    if section.max_answer < least:
        remedy = f"Make it at least {least:,} bytes, or limits.file_size smaller, which is {write_size(limits.file_size)}"
        context.faults.add(f"{side}.max_answer", "it leaves no room for a file of limits.file_size", remedy)

"""The configuration of one server: its table in ``sync.toml``, and the values derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum, auto
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, StrictInt, ValidationInfo, model_validator

from itopsync.errors import clip
from itopsync.itop.dates import pattern
from itopsync.model import Side
from itopsync.settings.addresses import Address, Certificates, check_is_private
from itopsync.settings.hints import meant_or
from itopsync.settings.quantities import Duration, Size
from itopsync.settings.routes import RouteSection
from itopsync.settings.secrets import WAYS, PasswordSource, Secret, no_password
from itopsync.settings.section import KeyValue, Name, Required, Text, Written, Wrong

LEAST_REQUEST = 1_000_000
"""Bytes of a request that has room for two texts of 65,535 characters in any script."""
_PARTS = {"year": "Yy", "month": "m", "day": "d", "hour": "Hh", "minute": "i"}


class Login(StrEnum):
    """The way in which the account logs in."""

    FORM = auto()
    """``auth_user`` and ``auth_pwd`` in the form."""
    BASIC = auto()
    """HTTP Basic, which iTop accepts only with ``login_mode=basic`` in the query."""
    TOKEN = auto()
    """An ``Auth-Token`` header with a token of iTop's module *authent-token*; the user name is not sent."""


def _read_timezone(name: object) -> object:
    if not isinstance(name, str):
        return name
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        remedy = meant_or(name, available_timezones(), 'Write it like "Europe/Paris"')
        raise Wrong(f"there is no timezone {clip(repr(name), 60)}", remedy) from None


def _check_date_format(text: str) -> str:
    try:
        found = pattern(text).groupindex
    except ValueError as error:
        remedy = "Copy date_and_time_format from that iTop's configuration; known are Y y m n d j H G h g i s A a"
        raise Wrong(str(error), remedy) from None
    lacking = [name for name, letters in _PARTS.items() if not any(letter in found for letter in letters)]
    if "h" in found and "a" not in found:
        lacking.append("half of the day")
    if lacking:
        remedy = "Copy date_and_time_format from that iTop's configuration"
        raise Wrong(f"{clip(repr(text), 60)} shows no {' and no '.join(lacking)}", remedy)
    return text


def _check_timeout(timeout: timedelta) -> timedelta:
    if timeout <= timedelta(0):
        raise Wrong("it leaves no time for an answer", 'Write a duration such as "30s"')
    return timeout


def _check_request(size: int) -> int:
    if size < LEAST_REQUEST:
        remedy = f"Make it, and post_max_size of that server's PHP, at least {LEAST_REQUEST:,} bytes"
        raise Wrong("it leaves no room for a long description", remedy)
    return size


Timezone = Annotated[ZoneInfo, BeforeValidator(_read_timezone), Written("text", {"type": "string"})]


class ServerSection(PasswordSource):
    """One of the two iTop servers."""

    url: Annotated[Address, Required("Write the server's address, like https://desk.example.com/itop")] = Field(
        default="", examples=["https://customers.example.com/itop"]
    )
    """Base address of iTop, without `/webservices/rest.php`. Must be `https://`, except for this machine."""
    allow_http: Text | None = Field(default=None, examples=["customers.example.com"])
    """Allows `http://` for one host: must be the same host as in `url`. The password is then sent unencrypted. Not needed for
    this machine."""
    public_url: Address = Field(default="", examples=["https://customers.example.com"])
    """The address that people use, if it is not `url`: links and pictures in carried notes are recognised by it."""
    label: Text = Field(default="", examples=["Customer desk"])
    """The name of this side in the header of carried notes. Default: `External`, `Internal`."""
    username: Text = Field(default="", repr=False, examples=["itopsync"])
    """The account of itopsync there. **Required**, except with `login = "token"`."""
    login: Login = Login.FORM
    """How to log in: `form`, `basic` (HTTP Basic, if iTop allows it), or `token` (iTop's module *authent-token*)."""
    timezone: Annotated[
        Timezone,
        Required("Write the timezone of that iTop's configuration, such as \"Europe/Paris\", which is iTop's own default"),
    ] = Field(default=ZoneInfo("UTC"), examples=["Europe/Paris"])
    """The `timezone` in that iTop's configuration, such as `Europe/Paris` (iTop's default). iTop's dates have no timezone, so a
    wrong one shifts every time."""
    date_format: Annotated[Text, AfterValidator(_check_date_format)] = "Y-m-d H:i:s"
    """The `date_and_time_format` in that iTop's configuration, in PHP's notation (`d/m/Y H:i`)."""
    ca_file: Certificates | None = Field(default=None, examples=["/etc/ssl/certs/example.pem"])
    """PEM file of the certificates to trust instead of the public ones. A relative path starts at the folder of
    `sync.toml`."""
    timeout: Annotated[Duration, AfterValidator(_check_timeout)] = timedelta(minutes=2)
    """How long to wait for an answer. Must be shorter than `limits.landing`."""
    max_request: Annotated[Size, AfterValidator(_check_request)] | None = Field(default=None, examples=["64MiB"])
    """The largest request that the server accepts: PHP's `post_max_size`, or a smaller limit of the web server before it. A file
    takes a third more than its size. Default: unknown; texts are then cut to fit 8 MB, PHP's default, or less once the server has
    refused that, and files of any size are tried."""
    connections: Annotated[StrictInt, Field(ge=1, le=32)] = 4
    """How many calls may run at the same time; fewer while the server refuses calls."""
    comment: Text = "itopsync"
    """The comment on our writes in iTop's history."""
    defaults: dict[Name, KeyValue] = Field(default={}, examples=[{"org_id": {"name": "Acme"}, "team_id": 39}])
    """Values for the organisation, caller, team, agent and any other attribute of tickets on this side: an id, a criterion such
    as `{ name = "Service Desk" }`, an OQL query, or a plain value for an attribute that is not a key. `0` means deliberately
    nobody. A criterion with `otherwise` is looked up beforehand; what it says is taken if that finds not exactly one object. In
    internal, `caller_id = { email_of = "caller_id", otherwise = … }` looks for the person with the external caller's e-mail; no
    person is created."""
    routes_file: Text = Field(default="", examples=["routes.csv"])
    """CSV file of further routes, one a line, after those of this file. Its first line names their keys with dots: `name`,
    `when.class`, `when.org_id.name`, `condition`, `set.org_id.name`, `set.caller_id.email_of`, `set.caller_id.otherwise.email`.
    An empty cell leaves its key out. Commas or semicolons, UTF-8. A relative path starts at the folder of `sync.toml`."""
    routes: tuple[RouteSection, ...] = ()
    """Values that depend on the external ticket."""

    @model_validator(mode="after")
    def _check_login(self, info: ValidationInfo) -> Self:
        if not self.username.isprintable():
            raise Wrong("it contains characters that cannot be typed", "Write the account's login", "username")
        if self.login is Login.BASIC and ":" in self.username:
            raise Wrong("HTTP Basic allows no colon in a user name", 'Use login = "form"', "username")
        if self.url and info.context is not None:
            check_is_private(self.url, self.allow_http)
        return self

    def lacking(self) -> Iterator[tuple[tuple[str, ...], str]]:
        yield from super().lacking()
        if not self.username and self.login is not Login.TOKEN:
            yield ("username",), "Name the account of itopsync on that server"
        if not any(getattr(self, way) for way in WAYS):
            yield no_password()


class ServerSettings(ServerSection):
    """Everything the client must know about one server: its table, and derived values."""

    side: Side
    password: InstanceOf[Secret]
    """The password or, with :attr:`Login.TOKEN`, the token; ``password_file`` has the whole path of its file, if it has one."""
    connect_timeout: float = 10.0
    """Seconds."""
    max_answer_bytes: int = 128_000_000
    """A response is read only up to this length. A file takes a third more than its size."""
    batch: int = 100
    """How many tickets are read in one call."""
    read_tries: int = 3
    """How many times a read is sent before the side counts as unreachable. A write is sent once."""

    @property
    def longest_call(self) -> float:
        """The longest that one call can take, in seconds: to connect, send and get the response."""
        return self.connect_timeout + 2 * self.timeout.total_seconds()

"""``web.toml``: what is shown, where, and who may do what."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from itopsync.config.faults import Faults
from itopsync.config.loader import check, parse
from itopsync.errors import clip
from itopsync.settings.addresses import host_and_port, is_host, is_loopback, located, read_listen
from itopsync.settings.quantities import Span
from itopsync.settings.secrets import PasswordSource
from itopsync.settings.section import Section, Surroundings, Text, Wrong

SOCKET = "unix:"
LOCAL = "127.0.0.1:8642"
UNIX = "unix"
"""What we call a peer that connects through a Unix socket."""


def _read_place(listen: str) -> str:
    if not listen.startswith(SOCKET):
        return read_listen(listen)
    if not Path(listen.removeprefix(SOCKET)).is_absolute():
        raise Wrong("a socket is named by its whole path", 'Write it like "unix:/run/itopsync-web/web.sock"')
    return listen


def _read_origin(origin: str) -> str:
    parts = urlsplit(origin)
    try:
        fits = parts.scheme in ("http", "https") and is_host(parts) and parts.port != 0 and parts.username is None
    except ValueError:
        fits = False
    if origin and not (fits and parts.path in ("", "/") and not parts.query and not parts.fragment):
        raise Wrong(f"{clip(repr(origin), 80)} is no origin", "Write scheme and host, like https://bridge.example.com")
    if origin and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise Wrong("over http:// sessions and passwords travel in clear", "Use https://")
    return origin.rstrip("/").lower()


def _read_peers(peers: tuple[str, ...]) -> tuple[str, ...]:
    for peer in peers:
        try:
            ipaddress.ip_address(peer if peer != UNIX else "::1")
        except ValueError:
            raise Wrong(f"{clip(repr(peer), 60)} is no address", 'Write IP addresses, or "unix" for the socket') from None
    return peers


HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")]


class AccountsSection(Section):
    """Accounts of the console's own."""

    file: Text = Field(default="", examples=["/var/lib/itopsync/web-accounts"])
    """Where `itopsync web-user` keeps names and the hashes of passwords (argon2id)."""
    idle: Span = timedelta(minutes=30)
    """How long a session lasts without activity; a page that refreshes itself does not count."""
    longest: Span = timedelta(hours=12)
    """The longest that a session can last."""


class ProxySection(Section):
    """A proxy in front that authenticates people."""

    peers: Annotated[tuple[Text, ...], AfterValidator(_read_peers)] = Field(default=(), examples=[["unix"]])
    """Where it connects from: IP addresses, or `unix` for the socket. Any other peer is turned away."""
    user_header: HeaderName = "X-Auth-Request-Email"
    """The header that names the user. A request without it, or with two names, is turned away: a name has no comma."""
    groups_header: HeaderName = "X-Auth-Request-Groups"
    """The header that lists the user's groups, separated by commas."""


class RolesSection(Section):
    """Who may do what: names, or groups as `group:desk-leads`."""

    viewers: tuple[Text, ...] = Field(default=(), examples=[["group:service-desk"]])
    """Who may look. Empty: whoever can sign in."""
    operators: tuple[Text, ...] = Field(default=(), examples=[["group:desk-leads"]])
    """Who may look, and pause, retry, park, unlink, accept. Empty: nobody."""


class StoreRole(PasswordSource):
    """How the console connects to a pair's store on PostgreSQL."""

    url: Text = Field(default="", examples=["postgresql://itopsync_web@db.example.com/itopsync"])
    """The store's address, with a user for the console alone, who may read all tables and insert into `request`."""


class WebFile(Section):
    """The whole of `web.toml`."""

    pairs: tuple[Text, ...] = Field(default=(), examples=[["/etc/itopsync/sync.toml"]])
    """The `sync.toml` of each pair to show. No iTop password is read from it."""
    listen: Annotated[Text, AfterValidator(_read_place)] = LOCAL
    """Address and port, or a Unix socket as `unix:/run/itopsync-web/web.sock`."""
    origin: Annotated[Text, AfterValidator(_read_origin)] = Field(default="", examples=["https://bridge.example.com"])
    """Scheme and host as browsers show them. Required unless the console is for this machine alone."""
    accounts: AccountsSection | None = None
    """Local accounts. Without these and without a proxy, everybody on this machine may look, and nobody may do anything."""
    proxy: ProxySection | None = None
    """A proxy that signs people in."""
    roles: RolesSection = Field(default={}, validate_default=True)
    """Who may do what."""
    stores: dict[str, StoreRole] = Field(default={})
    """By the pair's name."""

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        remote = self.socket is None and not is_loopback(self.host)
        if self.accounts is not None and self.proxy is not None:
            raise Wrong("accounts and a proxy both say who somebody is", "Remove one of the two tables", "proxy")
        if self.accounts is None and self.proxy is None:
            if remote:
                raise Wrong("others could look too, without a name", "Write 127.0.0.1, or add [proxy] or [accounts]", "listen")
            if self.roles.operators or self.roles.viewers:
                raise Wrong("nobody has a name: everybody only looks", "Add [proxy] or [accounts], or remove this", "roles")
        if (remote or self.socket is not None) and not self.origin:
            raise Wrong("it is not known by what name people reach it", "Write origin too", "listen")
        if self.accounts is not None and not self.accounts.file:
            raise Wrong("no file is named", "Write accounts.file", "accounts")
        if not all(role.url for role in self.stores.values()):
            raise Wrong("a store has no address", "Write stores.PAIR.url", "stores")
        if self.proxy is not None and not self.proxy.peers:
            raise Wrong("it is trusted from nowhere", 'Write proxy.peers, such as ["unix"]', "proxy")
        return self

    @property
    def socket(self) -> Path | None:
        """The Unix socket; None for a port."""
        return Path(self.listen.removeprefix(SOCKET)) if self.listen.startswith(SOCKET) else None

    @property
    def host(self) -> str:
        return host_and_port(self.listen)[0]

    @property
    def port(self) -> int:
        return host_and_port(self.listen)[1]


@dataclass(frozen=True)
class WebSettings:
    """``web.toml``, and where it is."""

    file: WebFile
    folder: Path

    @property
    def pairs(self) -> tuple[Path, ...]:
        """The configurations of the pairs to show."""
        return tuple(located(self.folder, name) for name in self.file.pairs)

    @property
    def accounts(self) -> Path | None:
        """The file of accounts."""
        return located(self.folder, self.file.accounts.file) if self.file.accounts else None


def load(path: Path, environ: Mapping[str, str]) -> WebSettings:
    """Load ``web.toml``.

    :raises ConfigurationError: with every fault in the file
    """
    table, faults = parse(path), Faults(path)
    surroundings = Surroundings(path.absolute().parent, environ, datetime.now(UTC))
    file = check(WebFile, table, surroundings, faults)
    if not file.pairs:
        faults.add("pairs", "it is missing", 'Name the configuration of each pair, as ["/etc/itopsync/sync.toml"]')
    faults.raise_if_any()
    return WebSettings(file, surroundings.folder)


def of_one_pair(path: Path) -> WebSettings:
    """The settings without a ``web.toml``: one pair, for everybody on this machine to look at."""
    return WebSettings(WebFile.model_validate({"pairs": [str(path.absolute())]}), path.absolute().parent)

"""How one server is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, Self
from zoneinfo import ZoneInfo

from itopsync.model import Side


class Login(StrEnum):
    """How the account proves who it is."""

    FORM = "form"
    """``auth_user`` and ``auth_pwd`` in the form."""
    BASIC = "basic"
    """HTTP Basic, which iTop heeds only with ``login_mode=basic`` in the query."""
    TOKEN = "token"  # noqa: S105 - the name of a way to log in
    """An ``Auth-Token`` header, for the token of iTop's module *authent-token*; the user name is not sent."""


class Secret:
    """A text that must not be seen: neither ``repr`` nor ``str``, ``asdict``, a pickle or a traceback's locals show it."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        return self._text

    def encode(self) -> bytes:
        """Return the bytes to send: UTF-8, and what an environment held that is not UTF-8 as it was there."""
        return self._text.encode("utf-8", "surrogateescape")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a secret does not change")

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


@dataclass(frozen=True)
class ServerSettings:
    """Everything the client must know about one server."""

    side: Side
    url: str
    """The base address without a trailing slash; the API is ``webservices/rest.php`` below it."""
    username: str = field(repr=False)
    password: Secret
    """With :attr:`Login.TOKEN`, the token."""
    login: Login = Login.FORM
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Paris"))
    """The ``timezone`` of iTop's configuration: every date that it shows is naive local time."""
    date_format: str = "Y-m-d H:i:s"
    """The ``date_and_time_format`` of iTop's configuration, in its own (PHP's) notation."""
    ca_file: Path | None = None
    """Certificates to trust instead of the public ones."""
    connect_timeout: float = 10.0
    """Seconds, like the other two."""
    read_timeout: float = 120.0
    write_timeout: float = 60.0
    max_answer_bytes: int = 64_000_000
    """An answer is read up to here and no further. A file takes a third more than its size."""
    max_request_bytes: int | None = None
    """No larger write is sent. None: how much the server takes is not known."""
    batch: int = 100
    """How many tickets are read with one call."""
    connections: int = 4
    """How many calls may run at once; fewer do while the server refuses."""
    read_tries: int = 3
    """How often a read is sent in all before the side counts as unreachable. A write is sent once."""
    comment: str = "itopsync"
    """What iTop's history shows as the reason of our writes."""

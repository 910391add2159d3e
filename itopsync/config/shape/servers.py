"""The two servers and the store: where they are, and how to get in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StrictInt

from itopsync.config.quantities import Duration, Size
from itopsync.config.shape.base import REQUIRED, KeyValue, Name, Section, Text
from itopsync.itop.settings import Login


class PasswordSource(Section):
    """Where a password is read from: exactly one of three."""

    password_file: Text | None = None
    """File that holds the password (or the token) and nothing else. Only its owner may read it: mode 600. A relative path
    begins at the folder of `sync.toml`."""
    password_env: Text | None = None
    """Environment variable that holds the password."""
    password_credential: Text | None = None
    """Name of a systemd credential (`LoadCredential=`): a file of that name in `$CREDENTIALS_DIRECTORY`."""


class ServerSection(PasswordSource):
    """One of the two iTop servers."""

    url: Text | None = Field(default=None, json_schema_extra=REQUIRED)
    """Base address of iTop, without `/webservices/rest.php`. Must be `https://`, but for this machine itself."""
    allow_http: Text | None = None
    """Allows `http://` for one server, by its name: must be the very host in `url`. The password then travels in clear.
    This machine itself needs no such leave."""
    public_url: Text | None = None
    """The address that people use, where it is not `url`: links and pictures in carried notes are known by it."""
    label: Text | None = None
    """What people call this side, in the header of carried notes. Default: `External`, `Internal`."""
    username: Text | None = Field(default=None, json_schema_extra=REQUIRED)
    """The account of itopsync there. Not needed with `login = "token"`."""
    login: Login = Login.FORM
    """How to log in: `form`, `basic` (HTTP Basic, where iTop allows it), or `token` (iTop's module *authent-token*)."""
    timezone: Text | None = Field(default=None, json_schema_extra=REQUIRED)
    """The `timezone` in that iTop's configuration, as `Europe/Paris` (iTop's own default). iTop's dates carry none, so a
    wrong one shifts every time."""
    date_format: Text = "Y-m-d H:i:s"
    """The `date_and_time_format` in that iTop's configuration, in its own notation (`d/m/Y H:i`)."""
    ca_file: Text | None = None
    """PEM file of the certificates to trust instead of the public ones. A relative path begins at the folder of
    `sync.toml`."""
    connect_timeout: Duration = timedelta(seconds=10)
    """How long to wait for a connection."""
    read_timeout: Duration = timedelta(minutes=2)
    """How long to wait for the answer to a read."""
    write_timeout: Duration = timedelta(minutes=1)
    """How long to wait for the answer to a write. Must be shorter than `limits.settle`."""
    max_answer: Size = 64_000_000
    """The longest answer that is read. A file takes a third more than its size, so it must leave room for
    `limits.file_size`."""
    max_request: Size | None = None
    """The largest request that the server takes: PHP's `post_max_size`, or a smaller limit of the web server before it. A file
    takes a third more than its size. Default: not known; then what is written is cut to fit 8 MB, PHP's own default, or
    less once the server has refused that, and files are tried."""
    batch: Annotated[StrictInt, Field(ge=1, le=500)] = 100
    """How many tickets are read with one call."""
    connections: Annotated[StrictInt, Field(ge=1, le=32)] = 4
    """How many calls may run at once. While the server refuses, fewer do."""
    read_tries: Annotated[StrictInt, Field(ge=1, le=10)] = 3
    """How often a read is sent before the side counts as unreachable. A write is sent once."""
    comment: Text = "itopsync"
    """What iTop's history shows as the reason of our writes."""
    defaults: dict[Name, KeyValue] = Field(default={})
    """The organisation, caller, team, agent and any other attribute that tickets take on this side: an id, a criterion such
    as `{ name = "Service Desk" }`, an OQL query, or a plain value for what is no key. `0` says: deliberately nobody."""


class StoreSection(PasswordSource):
    """The database of links and bases. It never holds a text of a ticket."""

    url: Text = "sqlite:////var/lib/itopsync/itopsync.db"
    """`sqlite:///` and a file (four slashes for an absolute path; a relative one begins at the folder of `sync.toml`), or
    `postgresql://user@host/database`. PostgreSQL's password comes from one of the other keys."""
    lease: Duration = timedelta(seconds=60)
    """How long the right to be the one writer is held without being renewed. After a crash the next process waits so long."""

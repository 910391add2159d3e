"""Authentication and authorisation: who a user is, and what they may do. If in doubt, nothing."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from itopsync.web.accounts import Accounts
from itopsync.web.sessions import Sessions
from itopsync.web.settings import UNIX, ProxySection, RolesSection

COOKIE = "itopsync-session"
OVER_TLS = f"__Host-{COOKIE}"
"""Browsers accept a cookie with this prefix over https only, and from this very host."""
LONGEST_NAME = 200


@dataclass(frozen=True)
class User:
    """A user who may look."""

    name: str
    """Empty for everybody on this machine."""
    operates: bool
    """Whether they may also make requests."""
    session: bool = False
    """Whether they can sign out."""

    @property
    def actor(self) -> str:
        """The name under which their requests are recorded."""
        return f"web:{self.name}"


class Denied(Exception):
    """Access denied; the message says why."""


class SignIn(Exception):
    """The user must sign in first."""


@dataclass
class Access:
    """Determines who a request is from."""

    roles: RolesSection
    """A reload replaces these."""
    proxy: ProxySection | None
    accounts: Accounts | None
    sessions: Sessions
    cookie: str

    def user(self, request: Request) -> User:
        """Who a request is from.

        :raises Denied: they may not enter
        :raises SignIn: they have not signed in, or their session has ended
        :raises NoAccounts: the accounts that decide this cannot be used
        """
        if self.proxy is not None:
            return self._vouched_for(self.proxy, request)
        if self.accounts is not None:
            return self._signed_in(self.accounts, request)
        return User("", operates=False)

    def _vouched_for(self, proxy: ProxySection, request: Request) -> User:
        peer = request.client.host if request.client else UNIX
        if peer not in proxy.peers:
            raise Denied("this comes from elsewhere than the proxy that signs people in")
        # a proxy may join two headers of the same name with a comma
        names = ",".join(request.headers.getlist(proxy.user_header)).split(",")
        name = names[0].strip() if len(names) == 1 else ""
        if not name or not name.isprintable() or len(name) > LONGEST_NAME:
            raise Denied("the proxy does not say who this is")
        lists = request.headers.getlist(proxy.groups_header)
        groups = [group.strip() for group in lists[0].split(",")] if len(lists) == 1 else []
        return self._let_in(name, frozenset(f"group:{group}" for group in groups if group))

    def _signed_in(self, accounts: Accounts, request: Request) -> User:
        token = request.cookies.get(self.cookie, "")
        found = self.sessions.find(token, by_person="hx-request" not in request.headers) if token else None
        if found is None:
            raise SignIn
        if accounts.known().get(found.name) != found.proof:
            self.sessions.end(token)
            raise SignIn
        return self._let_in(found.name, frozenset(), session=True)

    def _let_in(self, name: str, groups: frozenset[str], *, session: bool = False) -> User:
        known = groups if name.startswith("group:") else groups | {name}
        operates = bool(known & set(self.roles.operators))
        if self.roles.viewers and not operates and not known & set(self.roles.viewers):
            raise Denied(f"{name} may not look at this")
        return User(name, operates, session)

"""One exchange with a server over HTTP: the response, or how far it got. Its meaning is not known here."""

from __future__ import annotations

import logging
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import httpx

from itopsync import __version__
from itopsync.errors import clip
from itopsync.itop.body import Body
from itopsync.itop.settings import Login, ServerSettings
from itopsync.settings.proxies import proxy_for, without_user
from itopsync.settings.secrets import Secret, read_password_file
from itopsync.settings.section import Wrong

# httpx logs every address at INFO, and an image's address contains its secret. httpcore logs headers at DEBUG.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

Transport = httpx.BaseTransport
"""Carries out requests in place of the network."""
IDLE_SECONDS = 2.0
"""How long to keep an idle connection. Apache closes it after 5 s, and a write sent just then would have an unknown outcome."""
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

CERTIFICATE = {
    "has expired": "Have its certificate renewed; what has waited is carried then",
    "not yet valid": "Check the clock of this host, and from when its certificate is valid",
    "not valid for": "Name in url a host for which its certificate is made",
}
"""OpenSSL's words for what is wrong with a certificate → the remedy; with any others, its authority is unknown."""

_CHECK_PROXY = "Check that proxy, or name this host in no_proxy"
_OTHER_PROXY = "Name one that begins with http:// or https:// in https_proxy, or this host in no_proxy"


@dataclass(frozen=True)
class Answer:
    """A server's response, whatever it means."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytearray = field(repr=False)
    """Cut to the length that the settings allow."""
    whole: bool
    """Whether the response was within that limit."""


@dataclass(frozen=True)
class Broken:
    """There was no response."""

    sent: bool
    """Whether part of the request may have reached the server."""
    reason: str
    remedy: str = "Check that it is up and that url is right"
    """What to do if nothing was sent."""
    late: bool = False
    """Whether the request was sent, but the response did not come in time."""


class Connection:
    """A pool of connections to one server. Safe to use from several threads.

    :raises OSError: on construction, if ``ca_file`` cannot be read
    """

    def __init__(self, settings: ServerSettings, transport: Transport | None = None) -> None:
        self._settings = settings
        self.password = settings.password
        timeout = settings.timeout.total_seconds()
        self._proxy = proxy_for(settings.url) if transport is None else None
        self._client = httpx.Client(
            transport=transport,
            trust_env=False,
            proxy=self._usable_proxy(),
            verify=_tls(settings),
            timeout=httpx.Timeout(
                connect=settings.connect_timeout,
                read=timeout,
                write=timeout,
                pool=settings.connect_timeout + timeout,
            ),
            limits=httpx.Limits(
                max_connections=settings.connections,
                max_keepalive_connections=settings.connections,
                keepalive_expiry=IDLE_SECONDS,
            ),
            headers={"User-Agent": f"itopsync/{__version__}"},
            follow_redirects=False,
        )
        # PHP locks the session that a cookie names, so calls with the same cookie would wait for each other.
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        query = "version=1.3&login_mode=basic" if settings.login is Login.BASIC else "version=1.3"
        self._api = _parsed(f"{settings.url}/webservices/rest.php?{query}")

    def _usable_proxy(self) -> httpx.Proxy | None:
        """The proxy; None if there is none, or if it cannot be used, which :meth:`_send` reports."""
        self._unusable = False
        try:
            proxy = httpx.Proxy(self._proxy) if self._proxy else None
            if proxy is not None:
                httpx.HTTPTransport(proxy=proxy).close()
        except (ImportError, ValueError, httpx.InvalidURL):
            self._unusable = True
            return None
        return proxy

    def close(self) -> None:
        self._client.close()

    @property
    def form_login(self) -> Mapping[str, Secret]:
        """The login's fields in the form."""
        if self._settings.login is not Login.FORM:
            return {}
        return {"auth_user": Secret(self._settings.username), "auth_pwd": self.password}

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The password or token, and the login that a header makes of it."""
        return (
            self.password,
            *(Secret(value.decode("ascii", "replace").removeprefix("Basic ")) for _, value in self._login_headers()),
        )

    def renew_password(self, refused: Secret) -> bool:
        """Return whether there is another password than the *refused* one, after reading ``password_file`` again.

        A file that cannot be read, as while it is being written, changes nothing.
        """
        if self.password == refused and self._settings.password_file:
            try:
                self.password = read_password_file(Path(self._settings.password_file))
            except Wrong:
                return False
        return self.password != refused

    def post(self, body: Body) -> Answer | Broken:
        """Send a form to the API, with the configured login."""
        return self._send("POST", self._api, body)

    def get(self, path: str, query: Mapping[str, str]) -> Answer | Broken:
        """Get a page from the server, without a login."""
        return self._send("GET", f"{self._settings.url}/{path}?{httpx.QueryParams(query)}", None)

    def _login_headers(self) -> list[tuple[bytes, bytes]]:
        if self._settings.login is Login.BASIC:
            user = Secret(self._settings.username).encode()
            return [(b"Authorization", b"Basic " + b64encode(user + b":" + self.password.encode()))]
        return [(b"Auth-Token", self.password.encode())] if self._settings.login is Login.TOKEN else []

    def _send(self, method: str, url: httpx.URL | str, form: Body | None) -> Answer | Broken:
        if self._unusable:
            return Broken(False, f"{self._through()} is of no kind that can be used", _OTHER_PROXY)
        # Exceptions end here: httpx's contain the request, and their frames contain headers and forms.
        try:
            with self._client.stream(
                method,
                url,
                content=form,
                headers=None
                if form is None
                else [
                    (b"Content-Type", form.content_type.encode()),
                    (b"Content-Length", str(len(form)).encode()),
                    *self._login_headers(),
                ],
            ) as response:
                return self._receive(response)
        except NOT_SENT as error:
            if self._proxy:
                return Broken(False, f"{_reason(error)}, by {self._through()}", _remedy(error, _CHECK_PROXY))
            return Broken(False, _reason(error), _remedy(error))
        except httpx.HTTPError as error:
            return Broken(True, _reason(error), late=isinstance(error, httpx.ReadTimeout))
        except BaseException as error:  # an interrupt: raise it without the frames that a traceback would show
            raise error.with_traceback(None) from None

    def _through(self) -> str:
        return f"the proxy {clip(without_user(self._proxy or ''), 80)} that the environment names"

    def _receive(self, response: httpx.Response) -> Answer:
        limit = self._settings.max_answer_bytes
        body = bytearray()
        length = response.headers.get("Content-Length") or ""
        twice = "," in response.headers.get("Content-Encoding", "").replace("identity", "").strip(", ")
        # compressed twice, a few bytes grow to gigabytes before any are counted
        whole = not twice and (not length.isdecimal() or int(length) <= limit)
        if whole:
            for piece in response.iter_bytes():
                if len(body) + len(piece) > limit:
                    whole = False
                    break
                body += piece
        return Answer(response.status_code, response.headers, body, whole)


def _tls(settings: ServerSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, whatever the host's default; with ``ca_file``, only that authority is trusted."""
    if settings.url.startswith("http://") and not settings.ca_file:  # this machine only; the authorities take 35 ms to load
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else httpx.create_ssl_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


def _parsed(url: str) -> httpx.URL | str:
    """Return *url* parsed once rather than for each call; if it cannot be parsed, the first call reports it."""
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return url


def _reason(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    if isinstance(error, httpx.InvalidURL):
        return "the url is none"
    if isinstance(error, httpx.LocalProtocolError):  # its text can quote a header, and so a password
        return "the request could not be written as HTTP"
    # A response that is not HTTP is quoted after this.
    message = clip(str(error).partition(": bytearray(")[0])
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _remedy(error: httpx.HTTPError | httpx.InvalidURL, otherwise: str = Broken.remedy) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return otherwise
    return next((remedy for fault, remedy in CERTIFICATE.items() if fault in text), "Name its authority's certificate in ca_file")

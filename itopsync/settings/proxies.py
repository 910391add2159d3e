"""The proxy that the environment names for an address: ``https_proxy``, ``all_proxy`` and ``no_proxy``, in either case."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass


def proxy_for(url: str) -> str | None:
    """Return the address of the proxy, or None. None for ``http://``: the proxy would read the password."""
    if not url.startswith("https://"):
        return None
    proxies = getproxies_environment()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or proxy_bypass(urlsplit(url).netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def without_user(proxy: str) -> str:
    """*proxy* as it may be shown: without user and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0]}"

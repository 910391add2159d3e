"""iTop's REST API, and nothing else of HTTP: :class:`Server` is all that the layers above need.

``settings``    how a server is reached
``server``      what can be asked of it, by name: all of it
``reader``      what can be asked of it without changing anything
``caller``      reads are tried again, writes are sent once, each exchange is recorded
``throttle``    how many calls run at once
``answers``     what an answer means: the errors
``wording``     what is kept of an error's text
``connection``  one exchange over HTTP
``body``        the form that carries a request
``attributes``  which attributes of a ticket are read
``rows``        from iTop's JSON to the model's values, and back
``dates``       a server's timezone and date format
``address``     what a server calls itself
``images``      pictures pasted into texts
``oql``         pieces of queries
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itopsync.itop.attributes import Attributes
    from itopsync.itop.caller import CallRecord, Guard
    from itopsync.itop.dates import DateFormatWrong
    from itopsync.itop.reader import HIGHEST_ID, LIGHT_BATCH, Reader
    from itopsync.itop.rows import Changed, Row, Rows
    from itopsync.itop.server import Server
    from itopsync.itop.settings import Login, Secret, ServerSettings

_FROM = {
    name: module
    for module, names in {
        "attributes": ("Attributes",),
        "caller": ("CallRecord", "Guard"),
        "dates": ("DateFormatWrong",),
        "reader": ("HIGHEST_ID", "LIGHT_BATCH", "Reader"),
        "rows": ("Changed", "Row", "Rows"),
        "server": ("Server",),
        "settings": ("Login", "Secret", "ServerSettings"),
    }.items()
    for name in names
}
"""Loaded when it is first asked for: what reads the configuration alone does without HTTP."""

__all__ = [
    "HIGHEST_ID",
    "LIGHT_BATCH",
    "Attributes",
    "CallRecord",
    "Changed",
    "DateFormatWrong",
    "Guard",
    "Login",
    "Reader",
    "Row",
    "Rows",
    "Secret",
    "Server",
    "ServerSettings",
]


def __getattr__(name: str) -> object:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)

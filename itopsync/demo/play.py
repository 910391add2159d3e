"""The demo as it is shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict

import structlog
from rich.console import Console
from rich.table import Table
from rich.text import Text

from itopsync.cli.show import as_json
from itopsync.demo.compare import Item, compare
from itopsync.demo.desk import Desk, open_desk
from itopsync.demo.story import Story


def play(*, short: bool = False, as_json: bool = False) -> bool:
    """Play the story and return whether both servers agree in the end, and a further cycle writes nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(quiet=as_json)
    with open_desk() as desk:
        console.print(f"external: {desk.external.url}   internal: {desk.internal.url}   store: {desk.configuration.parent}")
        _perform(console, desk, short=short)
        written = len(desk.external.audit) + len(desk.internal.audit)
        desk.sync()
        idle = len(desk.external.audit) + len(desk.internal.audit) == written
        items = compare(desk.external, desk.internal)
    agreed = idle and all(item.agrees for item in items)
    if as_json:
        _print_json(items, agreed=agreed, idle=idle)
    else:
        _print(console, items, agreed=agreed, idle=idle)
    return agreed

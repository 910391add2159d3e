"""What a process has loaded from which the command line is forked: its modules, and what is made when first used.

The latter takes longer than most commands themselves. What can differ between two runs of a command is not kept.
"""

from __future__ import annotations

import gc
import io
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from rich.console import Console

from tests.engine.rig import Rig
from tests.store.compiling import share_compiled

MODULES = (
    *("itopsync.cli.app", "itopsync.cli.asked", "itopsync.cli.sync", "itopsync.check.checking", "itopsync.daemon"),
    *("itopsync.verify", "itopsync.watch.watch", "certifi", "httpcore", "psycopg", "typer._adapters"),
)


def _load() -> None:
    for name in MODULES:
        import_module(name)
    share_compiled()
    Console(file=io.StringIO()).print("1 [bold]two[/]")  # its regular expressions
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(io.StringIO()))
    with TemporaryDirectory(prefix="itopsync-") as folder:  # the models of the configuration, and the store's statements
        rig = Rig(Path(folder))
        rig.customer.create("UserRequest", title="Printer", private_log="<p>broken</p>")
        rig.sync()
        rig.settle()
        rig.stop()
    structlog.reset_defaults()
    gc.collect()
    gc.freeze()  # else each child would copy all pages as it looks through them


_load()

"""From the shape of ``sync.toml`` to the plain values that the rest of the program works with; every contradiction is noted."""

from __future__ import annotations

from pathlib import Path

from itopsync.config.compiling.carrying import (
    check_directions,
    check_lease,
    compile_engine,
    compile_headers,
    compile_limits,
    compile_schedule,
    compile_since,
)
from itopsync.config.compiling.classes import compile_classes
from itopsync.config.compiling.context import Context
from itopsync.config.compiling.servers import check_they_differ, compile_server, compile_side
from itopsync.config.compiling.stores import compile_store_url
from itopsync.config.compiling.watching import compile_hooks, compile_metrics
from itopsync.config.configuration import Configuration
from itopsync.config.shape import SyncFile
from itopsync.model import Side
from itopsync.reconcile.rules import Rules


def compile_configuration(file: SyncFile, path: Path, context: Context) -> Configuration:
    """Compile *file*. The result is of use only if *context* has no faults then."""
    if file.pair is None:
        context.missing("pair", "Name this pair of servers, in lower-case letters and digits; the name must never change")
    external = compile_server(file.external, Side.EXTERNAL, file.limits, context)
    internal = compile_server(file.internal, Side.INTERNAL, file.limits, context)
    check_they_differ(external, internal, context)
    check_directions(file, context)
    check_lease(file.store.lease, context)
    return Configuration(
        path,
        Rules(
            file.pair or "",
            compile_side(file.external, external, context),
            compile_side(file.internal, internal, context),
            compile_classes(file, context),
            compile_since(file.scope, external.timezone, context),
            file.rules.attachments,
            file.rules.deletion,
            file.rules.images,
            file.rules.new_tickets.allows(Side.EXTERNAL),
            file.rules.keep_internal,
            file.rules.tell_parked,
            compile_headers(file.headers, context),
            compile_limits(file.limits, context),
        ),
        external,
        internal,
        compile_store_url(file.store, context),
        compile_schedule(file.schedule, context),
        compile_engine(file.engine, file.schedule.poll, (external, internal), context),
        file.store.lease,
        file.logging.level.value,
        compile_metrics(file.metrics, file.schedule, context),
        compile_hooks(file.hooks, context),
    )

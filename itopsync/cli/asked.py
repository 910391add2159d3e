"""Makes a request and reports its result. The running process carries it out or, if there is none, this one.

Requests are carried out oldest first, so the latest prevails.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from time import monotonic, sleep
from typing import TYPE_CHECKING

import typer

from itopsync.cli.session import looking, utc_now
from itopsync.engine.steering import Outcome, Steering
from itopsync.exits import ExitCode
from itopsync.store.records import RequestKind, RequestState

if TYPE_CHECKING:
    from itopsync.config import Configuration
    from itopsync.engine.inspect import Inspector
    from itopsync.engine.pair import Pair
    from itopsync.store.store import Store

PATIENCE = 5.0
"""Seconds within which a running process takes a request, unless it waits for a server or runs a single cycle."""
_OFTEN = 0.1
"""Seconds between two checks of the request's state."""
_CYCLES = (RequestKind.SWEEP, RequestKind.VERIFY)
"""Requests that only a process that runs cycles can carry out."""


def actor() -> str:
    """The name of the person who asks: the operating system's user, before any ``sudo``."""
    try:
        return os.environ.get("ITOPSYNC_ACTOR") or os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # in a container, a user may have no name
        return str(os.getuid())


def ask_for(
    configuration: Configuration,
    store: Store,
    kind: RequestKind,
    *,
    link: int | None = None,
    reason: str = "",
    fingerprint: str = "",
    arguments: Mapping[str, str] | None = None,
    inspector: Inspector | None = None,
) -> None:
    """Make a request, wait for it to be carried out, and print the result.

    *store* is this pair's own; *inspector* looks at both servers, if they are open already.

    :raises typer.Exit: with 1 if it was not carried out, or not yet
    """
    number = store.requests.ask(kind, actor(), utc_now(), link=link, reason=reason, fingerprint=fingerprint, arguments=arguments)
    outcome = await_end(configuration, store, number, inspector)
    done = outcome.state is RequestState.DONE
    typer.echo(outcome.result, err=not done)
    if not done:
        raise typer.Exit(ExitCode.TROUBLED)


def await_end(configuration: Configuration, store: Store, number: int, inspector: Inspector | None = None) -> Outcome:
    """Wait for a request to be carried out, by this process if no other takes it.

    :raises typer.Exit: with 1 if nobody may take it now
    """
    asked = store.requests.get(number)
    outcome = _end_of(store, number) if at_work(store) else None
    if outcome is None and asked is not None and asked.kind not in _CYCLES:
        outcome = _carry_out_up_to(number, configuration, store, inspector)
    outcome = outcome or _end_of(store, number)
    if outcome is None:
        asked = store.requests.get(number)
        if asked is not None and asked.state is RequestState.TAKEN:
            why = "was broken off: the process that had taken it is gone. Ask again."
        else:
            why = "is waiting for a process that runs cycles: none has taken it yet."
        typer.echo(f"Request {number} {why}", err=True)
        raise typer.Exit(ExitCode.TROUBLED)
    return outcome


def _carry_out_up_to(number: int, configuration: Configuration, store: Store, inspector: Inspector | None) -> Outcome | None:
    """Carry out a request after all older ones that are not for a process that runs cycles; None if another takes it."""
    with ExitStack() as stack:
        for request in store.requests.waiting():
            if request.id > number:
                break
            if request.kind in _CYCLES:
                continue
            if request.kind is RequestKind.LINK and inspector is None:
                inspector = stack.enter_context(looking(configuration, lambda _: nullcontext(store)))
            if (taken := store.requests.take(request.id, utc_now())) is None:
                continue
            outcome = Steering(store, configuration.rules, utc_now, inspector).carry_out(taken)
            if request.id == number:
                return outcome
            typer.echo(f"First, as it was asked before, {request.kind} for {request.actor}: {outcome.result}", err=True)
    return None


def at_work(store: Store) -> bool:
    """Whether a process holds the lease."""
    held = store.lease.current()
    return held is not None and held.until > utc_now()


def _end_of(store: Store, number: int) -> Outcome | None:
    """Wait for a request to finish; None if no process takes it, or the one that did is gone."""
    end = monotonic() + PATIENCE
    while True:
        request = store.requests.get(number)
        if request is None:
            return None
        if request.finished_at is not None:
            return Outcome(request.state, request.result)
        if request.state is RequestState.WAITING and (monotonic() > end or not at_work(store)):
            return None
        if request.state is RequestState.TAKEN and not at_work(store):
            return None
        sleep(_OFTEN)


def take_up(pair: Pair) -> bool:
    """Carry out requests made while no process was running; return whether a sweep was among them."""
    from itopsync.engine.inspect import Inspector

    steering, sweep = Steering(pair.store, pair.rules, utc_now, Inspector(pair)), False
    for request in pair.store.requests.waiting():
        if request.kind is RequestKind.VERIFY or not pair.store.requests.take(request.id, utc_now()):
            continue
        if request.kind is RequestKind.SWEEP:
            steering.finish(request, RequestState.DONE, "a sweep begins now.")
            sweep = True
        else:
            steering.carry_out(request)
    return sweep

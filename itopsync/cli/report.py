"""The command that writes the monthly report for both companies: report."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from itopsync import __version__
from itopsync.cli.session import Options, store_to_read, utc_now
from itopsync.evidence.formats import Format
from itopsync.exits import ExitCode
from itopsync.model import BySide

if TYPE_CHECKING:
    from itopsync.config import Configuration
    from itopsync.evidence.files import Checked
    from itopsync.evidence.lines import Frame


def report(
    context: typer.Context,
    month: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Such as 2026-11, in internal's timezone.", show_default="last month")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="The output format.")] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it; an existing file is not overwritten.", show_default="stdout"),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare an existing report with the store. Writes nothing.", show_default=False),
    ] = None,
) -> None:
    """Report on a month: arrivals, delays, and what was parked. Contains no content. Does not contact the servers."""
    options: Options = context.obj
    configuration = options.configuration(servers=False)
    if check is not None:
        _check(configuration, check)
        return
    now = utc_now()
    here = now.astimezone(configuration.internal.timezone)
    frame = _frame(configuration, month or f"{here.replace(day=1) - timedelta(days=1):%Y-%m}", now)
    if output is None:
        _write(configuration, frame, form, sys.stdout.buffer)
        return
    try:
        with output.open("xb") as file:
            _write(configuration, frame, form, file)
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror}; name another file") from None
    typer.echo(f"Wrote {output}.")


def _frame(configuration: Configuration, month: str, made: datetime) -> Frame:
    from itopsync.evidence.lines import Frame

    rules, sides = configuration.rules, (configuration.external, configuration.internal)
    zones, labels = BySide(*(side.timezone for side in sides)), BySide(rules.external.label, rules.internal.label)
    try:
        frame = Frame(rules.pair, month, made, zones, labels, configuration.engine.keep_activity)
    except ValueError:
        raise typer.BadParameter(f"'{month}' is no month; write it as 2026-11") from None
    if frame.begin >= made:
        raise typer.BadParameter(f"{month} has not begun yet")
    return frame


def _write(configuration: Configuration, frame: Frame, form: Format, out: BinaryIO) -> None:
    from itopsync.evidence import files

    with store_to_read(configuration) as store:
        files.write(store, frame, form, out)


def _check(configuration: Configuration, path: Path) -> None:
    from itopsync.evidence import files

    try:
        with path.open("rb") as file, store_to_read(configuration) as store:
            found = files.check(store, file, lambda month, made: _frame(configuration, month, made))
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}; name a report") from None
    except files.NoReport:
        raise typer.BadParameter(f"{path} has no checksum of a report: it is another file, or was cut off") from None
    _tell(path, found)
    raise typer.Exit(ExitCode.WELL if found.same else ExitCode.TROUBLED)


def _tell(path: Path, found: Checked) -> None:
    if found.same:
        typer.echo(f"{path} is as it was made.\nEvery line of it is what the store says.")
        return
    typer.echo(f"{path} {'has its checksum, which proves nothing' if found.sealed else 'was changed after it was made'}.")
    why = ": the store, or sync.toml, has changed since, or the file has, and was given a new checksum." if found.sealed else "."
    typer.echo(f"It differs from what the store says{why}")
    for whose, lines in (("file", found.only_file), ("store", found.only_store)):
        for line in lines:
            typer.echo(f"  by the {whose}: {line}")
    if not (found.only_file or found.only_store):
        typer.echo("  It has the same lines, in another order or with another checksum.")
    oldest = utc_now() - found.frame.keep
    if found.frame.begin < oldest:
        typer.echo(
            f"What was written before {oldest:%Y-%m-%d %H:%M} UTC is kept no longer: the store may lack it for that reason."
        )
    if found.version != __version__:
        typer.echo(f"It was made by itopsync {found.version}; this is {__version__}, which may tell things otherwise.")

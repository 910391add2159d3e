"""Every event that is logged: its level, its fields, what it means and what to do about it.

``python -m itopsync.events > docs/reference/log-events.md`` writes the page anew. Tests hold the code to this list, and the page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

WIDTH = 120

COUNTS = (
    "new",
    "changed",
    "swept_up",
    "looked_at",
    "links",
    "create",
    "write",
    "state",
    "upload",
    "remove",
    "bytes",
    "refused",
    "unknown",
    "no_right",
    "unfinished",
    "parked",
    "waiting",
)
"""What a cycle counts. What is none is left out of its line."""

ALWAYS = ("timestamp", "level", "event")
CONTEXT = ("cycle", "link", "ticket")
"""What every line bears that belongs to a cycle, or to a link."""

FIELDS = {
    "timestamp": "when, in UTC",
    "level": "`debug`, `info`, `warning` or `error`",
    "event": "which event of this list",
    "date": "what a server's clock says",
    "cycle": "the cycle that it belongs to: when that began",
    "link": "the link's number; `itopsync show` takes it",
    "ticket": "the external ticket: `external:UserRequest:17`",
    "actor": "who asked: a user of the operating system, or as whoever made the request says",
    "action": "`create` (a copy), `write` (entries, fields), `state`, `upload` or `remove` (an attachment)",
    "address": "address and port",
    "age": "seconds from the change on the other side until it had arrived",
    "copy": "the copy that was found, or the file that was made",
    "count": "how many things one call was about",
    "exception": "the traceback, on several lines; without the messages of foreign errors, which may quote a ticket",
    "fault": "file, key, what is wrong, and the remedy",
    "faults": "how many faults",
    "holder": "which process has it",
    "hook": "`command`, `webhook`, `alerts.` and a name, or `dead_man`",
    "item": "what of the ticket: `ticket`, `state`, `field`, `note`, `file`, `picture`, `log`, `word`",
    "key": "of `sync.toml`",
    "kind": "`poll` or `sweep`; of a safety stop, what `accept` takes; of a request, what was asked for",
    "links": "how many links",
    "listen": "where it can be reached",
    "listener": "which part of the program",
    "logger": "which library",
    "longest_call": "seconds that one call may take",
    "message": "what a library says",
    "need": "what a person is called for: `parked`, `safety_stop`, `side_down` or `cycle_failed`",
    "outcome": "how it ended. A cycle: `well`, `troubled`, `unavailable`, `interrupted`, `paused` or `stopped`. A "
    "request: `done`, `refused` or `interrupted`. A write: `done`, "
    "`waits` (for a picture), `refused`, `unknown`, `no right`, `read-only` or `side unavailable`",
    "pair": "the pair's name",
    "pairs": "the names of pairs",
    "parked": "how many items wait for a person, on all tickets",
    "path": "which file",
    "peer": "from which address",
    "problem": "what kept the cycle from its work",
    "reason": "why, in itopsync's own words and as much of the server's as tells nothing of a ticket",
    "retry": "how long until the next try",
    "seconds": "how long it took, or lasted",
    "settle": "how long a write without an answer is given to land",
    "side": "`external` or `internal`: of a write, the one that was written to",
    "signal": "which signal",
    "since": "since when",
    "store": "which store; never with its password",
    "until_then": "what is used until then",
    "waiting": "how many items wait for another try, on all tickets, and links with a write of unknown outcome",
    "watchdog": "seconds after which systemd takes a silent process for dead",
    "new": "links made: tickets that came into scope",
    "changed": "links whose tickets had changed",
    "swept_up": "links that a sweep found to look at",
    "looked_at": "links that a sweep reads in full",
    "create": "copies made",
    "write": "writes of entries and fields",
    "state": "changes of state",
    "upload": "attachments made",
    "remove": "attachments deleted",
    "bytes": "bytes of all attachments made",
    "refused": "writes that were refused: they are tried again, or parked",
    "unknown": "writes of unknown outcome",
    "no_right": "writes for which the account lacks a right",
    "unfinished": "links with more to do than one cycle does",
}
"""What each field means."""


@dataclass(frozen=True)
class Event:
    """One event."""

    levels: tuple[str, ...]
    fields: tuple[str, ...]
    meaning: str
    do: str = ""
    """What to do; empty: nothing."""


EVENTS: dict[str, Event] = {
    "cycle": Event(
        ("info", "warning", "error"),
        ("kind", "outcome", "seconds", *COUNTS, "problem"),
        "A cycle has ended; the line tells all that it did. A warning when a side could not be worked with, an error when it was "
        "broken off.",
        "at `info` nothing, else what `problem` says; the runbook has each message.",
    ),
    "write": Event(
        ("info",),
        ("action", "side", "outcome", "seconds", "age", "reason"),
        "Something was sent to a side. What is not `done` is tried again by itself.",
    ),
    "request": Event(
        ("info",),
        ("kind", "actor", "outcome"),
        "What somebody asked for was carried out, or refused. `itopsync activity` has the words.",
    ),
    "verification lost": Event(
        ("warning",),
        ("reason",),
        "What a verification found could not be stored.",
        "Look at the store, and ask again.",
    ),
    "parked": Event(
        ("warning",),
        ("item", "reason"),
        "Something of a ticket will not be tried again by itself.",
        "Mend what `reason` names, then `itopsync retry`, or leave it.",
    ),
    "copy found": Event(("info",), ("copy",), "A copy whose creation had no answer was there after all, and is linked."),
    "ticket failed": Event(
        ("error",),
        ("reason", "exception"),
        "What one ticket holds is more than itopsync can work with. It waits, is tried again, and is parked in the end; the "
        "others go on.",
        "Keep the lines and report it; they hold nothing of the ticket. Then `itopsync retry`.",
    ),
    "writes of unknown outcome": Event(
        ("warning",),
        ("links", "settle"),
        "The process before this one ended while it wrote. What it wrote is looked for before anything is sent again.",
        "Find out why it ended: a kill, a crash, no memory.",
    ),
    "side unavailable": Event(
        ("warning",),
        ("side", "reason"),
        "A side cannot be worked with from now on, or for another reason than before. It is asked again each cycle.",
        "Wait if it passes; else see the runbook for `reason`.",
    ),
    "absurd clock": Event(
        ("warning",),
        ("side", "date"),
        "A server's clock, in HTTP `Date`, is more than 400 days from this host's. It is not gone by.",
        "Set the clock of that server, of what stands before it, or of this host.",
    ),
    "side down for long": Event(
        ("error",),
        ("side", "since", "reason"),
        "A side cannot be worked with for longer than `hooks.side_down`.",
        "See the runbook for `reason`. Nothing is lost meanwhile.",
    ),
    "side takes writes again": Event(
        ("info",), ("side",), "A side that was polled well and took no writes has taken one, or refused one for itself."
    ),
    "out of scope": Event(
        ("info",),
        ("links",),
        "The scope was changed, and so many tickets that waited for a copy do not meet it any more. They get none, and count as "
        "never seen.",
    ),
    "side available again": Event(("info",), ("side", "seconds"), "A side works again, after so many seconds."),
    "safety stop": Event(
        ("error",),
        ("kind", "reason"),
        "A cycle would have done more than the limits allow, and stopped before. So will the next ones.",
        "Look at `itopsync plan`, then `itopsync accept` it or mend the cause: see the runbook.",
    ),
    "cycle failed": Event(("error",), ("reason",), "A cycle was broken off. The next one tries again.", "What `reason` says."),
    "lease not renewed": Event(
        ("warning",),
        ("reason",),
        "The store did not answer when the right to write was to be renewed. If that lasts, itopsync stops before it writes.",
        "Look at the store.",
    ),
    "started": Event(("info",), ("pair", "store"), "The service has begun."),
    "stopped": Event(("info",), ("signal",), "The service has ended, as it was told."),
    "standing by": Event(("info",), ("holder",), "Another process has the right to write on this store; this one waits for it."),
    "taking over: the lease is ours now": Event(
        ("warning",),
        (),
        "The process that wrote before has ended or lost its store; this one writes now.",
        "Find out why it ended.",
    ),
    "the store does not answer": Event(
        ("warning",), ("reason",), "A service that stands by cannot ask the store. It asks again.", "Look at the store."
    ),
    "store unavailable": Event(
        ("error",),
        ("reason",),
        "The store does not answer. It is asked again until the right to write has run out, which ends the process.",
        "Look at the store.",
    ),
    "configuration taken over": Event(("info",), ("path",), "A changed configuration was read and is in use."),
    "configuration refused": Event(
        ("error",),
        ("fault",),
        "A changed configuration is at fault; each fault has a line.",
        "What `fault` says, then reload again.",
    ),
    "the old configuration goes on": Event(
        ("error",),
        ("faults",),
        "A changed configuration was refused; the one before stays in use.",
        "Mend the faults, then reload.",
    ),
    "needs a restart": Event(
        ("warning",), ("key", "until_then"), "A changed key cannot be taken over while it runs.", "Restart the service."
    ),
    "systemd does not hear us": Event(
        ("warning",),
        ("reason",),
        "systemd could not be told that all is well; its watchdog may end the process.",
        "See that `NotifyAccess=` and `RestrictAddressFamilies=AF_UNIX` are as in the unit that comes with itopsync.",
    ),
    "WatchdogSec is shorter than one call may take": Event(
        ("warning",),
        ("watchdog", "longest_call"),
        "systemd could take a slow server for a process that hangs.",
        "Make `WatchdogSec=` longer, or the server's time-outs shorter.",
    ),
    "metrics not served": Event(
        ("error",),
        ("address", "reason"),
        "The address in `metrics.listen` cannot be listened on. Cycles go on; nobody sees their metrics.",
        "Choose another port, or see who has it: `ss -ltnp`; then restart.",
    ),
    "store copied": Event(("info",), ("copy",), "The store was copied before its schema was changed."),
    "person called": Event(("info",), ("hook", "need", "count"), "A hook has taken a call for a person."),
    "hook failed": Event(
        ("warning",),
        ("hook", "need", "reason", "retry"),
        "A hook did not take what it was sent. Calls are sent again, with what has come up meanwhile; cycles go on.",
        "Try the command or the address by hand, as the service's account.",
    ),
    "hook not remembered": Event(
        ("warning",),
        ("hook", "reason"),
        "What a hook has told could not be stored: after a restart it may tell it again.",
        "Look at the store.",
    ),
    "store not watched": Event(
        ("warning",), ("reason",), "The store did not say how things stand: metrics are those of before.", "Look at the store."
    ),
    "metrics not written": Event(
        ("warning",),
        ("reason",),
        "The file for node_exporter could not be written; the one before is still there.",
        "Let this account write to its folder, also through systemd's `ReadWritePaths=`.",
    ),
    "console": Event(
        ("info",), ("listen", "pairs"), "`itopsync web` shows these pairs. What was asked for there is told as `request`."
    ),
    "signed in": Event(("info",), ("actor", "peer"), "Somebody has signed in to the console with a local account."),
    "sign-in refused": Event(
        ("warning",),
        ("peer", "reason"),
        "Somebody tried to sign in to the console in vain. The name is not told: it may be a password, typed at the wrong place.",
        "If it comes again and again, look who reaches the console.",
    ),
    "a listener failed": Event(
        ("error",), ("listener", "exception"), "A part that is told of each cycle has a fault. Cycles go on.", "Report it."
    ),
    "internal error": Event(
        ("error",),
        ("exception",),
        "A fault of itopsync itself; the process ends with 70 and systemd starts it again. Nothing is lost.",
        "Keep the lines and report it.",
    ),
    "library": Event(
        ("warning", "error", "critical"),
        ("logger", "message", "exception"),
        "Something that a library has to say.",
        "Look at it together with the lines around it.",
    ),
}

_INTRODUCTION = """\
# Log events

Each event is one line: on a terminal as text, elsewhere as JSON. Where the lines lead into systemd's journal, each begins
with its priority, which the journal takes off and files: `journalctl -u itopsync -p warning` shows what needs somebody.

| level | means |
| --- | --- |
| `error` | look now |
| `warning` | look today |
| `info` | nothing to do: what was done, one line for each write and one for each cycle |
| `debug` | nothing beyond that at present |

No event holds a text of a ticket, a file's name, a password or a token.

Every line has `timestamp`, `level` and `event`; a line that belongs to a cycle has `cycle`, one that belongs to a ticket also
`link` and `ticket`. To follow one ticket, or one cycle:

```console
$ journalctl -u itopsync -o cat | jq 'select(.link == 17)'
$ journalctl -u itopsync -o cat | jq 'select(.cycle == "20261124T030000.000000")'
```

## The events
"""


def reference() -> str:
    """Return the text of the page."""
    parts = [_INTRODUCTION, *(_told(name, event) for name, event in sorted(EVENTS.items())), "## The fields", *_fields()]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _told(name: str, event: Event) -> str:
    levels = " or ".join(f"`{level}`" for level in event.levels)
    fields = f"; {', '.join(f'`{field}`' for field in event.fields)}" if event.fields else ""
    do = f" **To do:** {event.do[:1].lower()}{event.do[1:]}" if event.do else ""
    return f"`{name}` ({levels}{fields})\n{_wrapped(event.meaning + do, ': ')}"


def _fields() -> Iterator[str]:
    for name, meaning in sorted(FIELDS.items()):
        yield f"`{name}`\n{_wrapped(f'{meaning[:1].upper()}{meaning[1:]}.', ': ')}"


def _wrapped(text: str, before: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=before, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    print(reference(), end="")

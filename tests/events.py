"""Every event that is logged: its level, its fields, what it means and what to do about it.

``python -m tests.events > docs/reference/log-events.md`` regenerates the page. Tests hold the code and the page to this list.
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
"""What a cycle counts. Zeros are omitted."""

ALWAYS = ("timestamp", "level", "event")
CONTEXT = ("config", "cycle", "link", "ticket")
"""The fields of every line about a cycle or a link, or from one of several pairs below `itopsync run-all`."""

FIELDS = {
    "timestamp": "the time, in UTC",
    "level": "`debug`, `info`, `warning` or `error`",
    "event": "the event's name, as listed above",
    "date": "the server's clock",
    "config": "the configuration of the pair that the line is about, below `itopsync run-all`",
    "cycle": "the cycle that the line belongs to, by its start time",
    "link": "the link's number, as `itopsync show` takes it",
    "ticket": "the external ticket, such as `external:UserRequest:17`",
    "actor": "who made the request: the operating system's user, or the name that the requester gave",
    "action": "`create` (a copy), `write` (entries, fields), `state`, `upload` or `remove` (an attachment)",
    "address": "address and port",
    "age": "seconds between the change on the other side and its arrival",
    "copy": "the copy that was found, or the file that was made",
    "count": "how many items one call reported",
    "exception": "the traceback, on several lines, without the messages of other libraries' errors, which may quote a ticket",
    "fault": "file, key, fault and remedy",
    "faults": "the number of faults",
    "holder": "the process that holds the lease",
    "hook": "`command`, `webhook`, `alerts.` and a name, or `dead_man`",
    "item": "the part of the ticket: `ticket`, `state`, `field`, `note`, `file`, `picture`, `whole` or `overflow` (a text as a "
    "file), `deletions` (of many files), `link-notice`",
    "key": "the key in `sync.toml`",
    "kind": "`poll` or `sweep`; for a safety stop, the argument for `accept`; for a request, its kind",
    "links": "the number of links",
    "listen": "the address that it listens on",
    "listener": "the part of the program",
    "logger": "the library",
    "longest_call": "the longest that one call may take, in seconds",
    "message": "the library's message",
    "need": "why a person is needed: `parked`, `safety_stop`, `side_down` or `cycle_failed`",
    "outcome": "the outcome. Of a cycle: `well`, `troubled`, `unavailable`, `interrupted`, `paused` or `stopped`. Of a "
    "request: `done`, `refused` or `interrupted`. Of a write: `done`, "
    "`waits` (for a picture, or another look), `refused`, `unknown`, `no right`, `read-only` or `side unavailable`",
    "pair": "the pair's name",
    "pairs": "the pairs' names",
    "parked": "parked items, across all tickets",
    "path": "the file",
    "peer": "the client's address",
    "problem": "what kept the cycle from completing",
    "reason": "the reason, in itopsync's own words, with as much of the server's message as reveals nothing about a ticket",
    "retry": "the time until the next try",
    "seconds": "the duration",
    "landing": "how long itopsync waits for a write without an answer to land",
    "side": "`external` or `internal`; for a write, the side that was written to",
    "signal": "the signal",
    "since": "when it began, or is to begin",
    "store": "the store, without its password",
    "until_then": "the value in use until the restart",
    "waiting": "items waiting for another try, across all tickets, and links with a write of unknown outcome",
    "watchdog": "seconds after which systemd considers a silent process dead",
    "new": "links added: tickets that came into scope",
    "changed": "links whose tickets had changed",
    "swept_up": "links that a sweep found to be due",
    "looked_at": "links that a sweep read in full",
    "create": "copies created",
    "write": "writes of entries and fields",
    "state": "state changes",
    "upload": "attachments created",
    "remove": "attachments deleted",
    "bytes": "total size of the attachments created, in bytes",
    "refused": "refused writes, which are retried or parked",
    "unknown": "writes of unknown outcome",
    "no_right": "writes that the account has no right to make",
    "unfinished": "links with more left to do than fits into one cycle",
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
        "A cycle ended; the line sums up what it did. A warning if a side was unavailable, an error if the cycle was aborted.",
        "At `info`, nothing; otherwise follow `problem`. The runbook lists each message.",
    ),
    "write": Event(
        ("info",),
        ("action", "side", "outcome", "seconds", "age", "reason"),
        "Something was written to a side. Anything that is not `done` is retried automatically.",
    ),
    "request": Event(
        ("info",),
        ("kind", "actor", "outcome"),
        "A request was carried out or refused. `itopsync activity` shows the details.",
    ),
    "verification lost": Event(
        ("warning",),
        ("reason",),
        "The result of a verification could not be stored.",
        "Check the store, and request it again.",
    ),
    "parked": Event(
        ("warning",),
        ("item", "reason"),
        "An item of a ticket will not be retried automatically.",
        "Fix what `reason` names and run `itopsync retry`, or leave it parked.",
    ),
    "copy found": Event(("info",), ("copy",), "A copy whose creation got no answer was found after all, and is now linked."),
    "ticket failed": Event(
        ("error",),
        ("reason", "exception"),
        "itopsync has a bug that one ticket triggers. The ticket is retried and eventually parked; the others are not affected.",
        "Keep the log lines, which contain nothing of the ticket, and report the bug. Then run `itopsync retry`.",
    ),
    "scope.since is in the future": Event(
        ("warning",),
        ("since",),
        "By this host's clock, the scope has not begun: no ticket is copied that began before `since`. What is linked goes on.",
        "Set the clock of this host, or write an earlier `scope.since`.",
    ),
    "this host's clock was set": Event(
        ("warning",),
        ("seconds", "links", "landing"),
        "Somebody set the clock by `seconds`, or it was corrected. The `links` with a write of unknown outcome wait for the "
        "whole `landing` from now on.",
        "If it happens again, synchronise the clock by NTP.",
    ),
    "writes of unknown outcome": Event(
        ("warning",),
        ("links", "landing"),
        "The previous process ended during a write. itopsync checks whether the write arrived before it sends anything again.",
        "Find out why it ended: a kill, a crash, lack of memory.",
    ),
    "side unavailable": Event(
        ("warning",),
        ("side", "reason"),
        "A side has become unavailable, or the reason has changed. Each cycle tries it again.",
        "Wait for it to recover; if it does not, look up `reason` in the runbook.",
    ),
    "absurd clock": Event(
        ("warning",),
        ("side", "date"),
        "A server's clock, in HTTP `Date`, differs from this host's by more than 400 days, and is ignored.",
        "Set the clock of that server, of the proxy in front of it, or of this host.",
    ),
    "unusable id": Event(
        ("warning",),
        ("side",),
        "A side shows tickets, changed or in scope, with ids that no iTop gives. They are left out, all others are carried.",
        "Look at these tickets in the database of that server: an id is a whole number below 2³¹.",
    ),
    "side down for long": Event(
        ("error",),
        ("side", "since", "reason"),
        "A side has been unavailable for longer than `hooks.side_down`. Nothing is lost.",
        "Look up `reason` in the runbook.",
    ),
    "side takes writes again": Event(
        ("info",),
        ("side",),
        "A side that could be polled but accepted no writes has accepted one, or refused one on its own merits.",
    ),
    "out of scope": Event(
        ("info",),
        ("links",),
        "The scope was changed, and the given number of tickets that were waiting for a copy no longer match it. They get none, "
        "and count as never seen.",
    ),
    "side available again": Event(
        ("info",), ("side", "seconds"), "A side is available again, after the given number of seconds."
    ),
    "safety stop": Event(
        ("error",),
        ("kind", "reason"),
        "A cycle would have exceeded a safety limit, and stopped before doing so. The next cycles will stop too.",
        "Read `itopsync plan`, then run `itopsync accept` or fix the cause; see the runbook.",
    ),
    "cycle failed": Event(("error",), ("reason",), "A cycle was aborted. The next one tries again.", "Follow `reason`."),
    "lease not renewed": Event(
        ("warning",),
        ("reason",),
        "The store did not answer when the lease had to be renewed. If this persists, itopsync ends before it writes again.",
        "Check the store.",
    ),
    "started": Event(("info",), ("pair", "store"), "The service started."),
    "stopped": Event(("info",), ("signal",), "The service stopped, as requested."),
    "pair ended": Event(
        ("error",),
        ("reason",),
        "The process of one of several pairs ended by a fault, with that exit code or by that signal; it is started again. The "
        "other pairs go on.",
        "Read what that pair logged before.",
    ),
    "pair fails": Event(
        ("error",),
        ("reason",),
        "One of several pairs cannot work; its process ends. The service of a single pair says the same in plain words.",
        "Follow `reason`.",
    ),
    "pair at rest": Event(
        ("error",),
        (),
        "One of several pairs is not started, because its configuration is at fault. The other pairs go on.",
        "Mend what that pair logged before, then reload the service.",
    ),
    "pair hangs": Event(
        ("error",),
        ("seconds",),
        "The process of one of several pairs gave no sign of life for that long; it is ended and started again.",
        "See where it hung: its traceback follows. If it is a slow server, raise WatchdogSec.",
    ),
    "supervisor gone": Event(
        ("error",),
        (),
        "The process above this pair and the others is gone; this one stops too.",
        "Start the service again, and find out why it ended.",
    ),
    "pair removed": Event(("info",), (), "One of several pairs was stopped, since its configuration is gone."),
    "standing by": Event(("info",), ("holder",), "Another process holds the lease on this store; this one waits for it."),
    "taking over: the lease is ours now": Event(
        ("warning",),
        (),
        "The previous holder of the lease has ended or lost its connection to the store; this process has taken over.",
        "Find out why it ended.",
    ),
    "the store does not answer": Event(
        ("warning",), ("reason",), "A standby cannot reach the store. It keeps trying.", "Check the store."
    ),
    "store unavailable": Event(
        ("error",),
        ("reason",),
        "The store does not answer. itopsync keeps trying until its lease expires, and then ends.",
        "Check the store.",
    ),
    "configuration taken over": Event(("info",), ("path",), "A changed configuration was loaded and is in use."),
    "configuration refused": Event(
        ("error",),
        ("fault",),
        "A changed configuration is faulty; each fault has a line of its own.",
        "Fix what `fault` says, then reload again.",
    ),
    "the old configuration goes on": Event(
        ("error",),
        ("faults",),
        "A changed configuration was refused; the previous one stays in use.",
        "Fix the faults, then reload.",
    ),
    "needs a restart": Event(
        ("warning",), ("key", "until_then"), "A changed key takes effect only after a restart.", "Restart the service."
    ),
    "systemd does not hear us": Event(
        ("warning",),
        ("reason",),
        "systemd could not be notified that the service is alive; its watchdog may end the process.",
        "Set `NotifyAccess=` and `RestrictAddressFamilies=AF_UNIX` as in the unit that comes with itopsync.",
    ),
    "WatchdogSec is shorter than one call may take": Event(
        ("warning",),
        ("watchdog", "longest_call"),
        "systemd could mistake a slow server for a hung process.",
        "Raise `WatchdogSec=`, or lower the server's timeout.",
    ),
    "metrics not served": Event(
        ("error",),
        ("address", "reason"),
        "itopsync cannot listen on the address in `metrics.listen`. Cycles continue, but metrics are not served.",
        "Choose another port, or find out what uses it with `ss -ltnp`; then restart.",
    ),
    "store copied": Event(("info",), ("copy",), "The store was copied before its schema was upgraded or downgraded."),
    "person called": Event(("info",), ("hook", "need", "count"), "A hook accepted a notification."),
    "hook failed": Event(
        ("warning",),
        ("hook", "need", "reason", "retry"),
        "A hook did not accept a notification. It is sent again, together with anything new; cycles continue.",
        "Try the command or the address by hand, as the service's account.",
    ),
    "hook not remembered": Event(
        ("warning",),
        ("hook", "reason"),
        "It could not be stored that a hook has reported something: after a restart, the hook may report it again.",
        "Check the store.",
    ),
    "store not watched": Event(
        ("warning",), ("reason",), "The status could not be read from the store: the metrics are out of date.", "Check the store."
    ),
    "metrics not written": Event(
        ("warning",),
        ("reason",),
        "The file for node_exporter could not be written; the previous one is still there.",
        "Allow this account to write to its folder, and list it in systemd's `ReadWritePaths=`.",
    ),
    "console": Event(
        ("info",), ("listen", "pairs"), "`itopsync web` serves these pairs. Requests made there are logged as `request`."
    ),
    "signed in": Event(("info",), ("actor", "peer"), "Somebody signed in to the console with a local account."),
    "sign-in refused": Event(
        ("warning",),
        ("peer", "reason"),
        "A sign-in to the console failed. The name is not logged, since it may be a password typed into the wrong field.",
        "If it keeps happening, check who can reach the console.",
    ),
    "accounts unusable": Event(
        ("error",),
        ("reason",),
        "Nobody can sign in to the console: its file of accounts is gone, empty, damaged or not readable. Sessions are kept.",
        "Do what the reason says.",
    ),
    "a listener failed": Event(
        ("error",),
        ("listener", "exception"),
        "A part of itopsync that is notified of each cycle has a bug. Cycles continue.",
        "Report it.",
    ),
    "internal error": Event(
        ("error",),
        ("exception",),
        "itopsync has a bug; the process exits with 70 and systemd restarts it. Nothing is lost.",
        "Keep the log lines and report it.",
    ),
    "library": Event(
        ("warning", "error", "critical"),
        ("logger", "message", "exception"),
        "A library logged a message.",
        "Read it together with the lines around it.",
    ),
}

_INTRODUCTION = """\
# Log events

Each event is one line: text on a terminal, JSON elsewhere. In systemd's journal, each has its priority:
`journalctl -u itopsync -p warning` shows what needs attention.

| level | means |
| --- | --- |
| `error` | act now |
| `warning` | act today |
| `info` | nothing to do: one line for each write and one for each cycle |
| `debug` | currently the same as `info` |

No event contains a ticket's text, a file's name, a password or a token.

Every line has `timestamp`, `level` and `event`. Lines about a cycle also have `cycle`, and those about a ticket `link` and
`ticket`. To follow one ticket or one cycle:

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

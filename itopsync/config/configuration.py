"""The configuration as the program uses it: most tables as they are in ``sync.toml``, servers and classes compiled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from itopsync.config.classes import compile_classes
from itopsync.config.defaults import last
from itopsync.config.faults import Faults
from itopsync.config.routes import written_routes
from itopsync.config.schema import ScopeSection, SyncFile
from itopsync.engine.settings import EngineSettings, Schedule
from itopsync.errors import Fault
from itopsync.itop.settings import ServerSection, ServerSettings
from itopsync.model import BySide, Side
from itopsync.reconcile.defaults import Routing
from itopsync.reconcile.rules import Limits, Rules, SideRules
from itopsync.settings.addresses import identity, located
from itopsync.settings.quantities import to_utc, write_duration
from itopsync.settings.section import Surroundings
from itopsync.watch.settings import HooksSettings, MetricsSettings

MOST_WORKERS = 32
_AROUND_A_FILE = 100_000
"""The bytes of a response besides the file that it carries."""


@dataclass(frozen=True)
class Configuration:
    """The whole configuration, checked and compiled."""

    path: Path
    rules: Rules
    external: ServerSettings
    internal: ServerSettings
    store_url: str = field(repr=False)
    """In SQLAlchemy's form, with the password."""
    lease: timedelta
    schedule: Schedule
    engine: EngineSettings
    metrics: MetricsSettings
    hooks: HooksSettings
    log_level: str
    """``debug``, ``info``, ``warning`` or ``error``."""
    fingerprint: str = ""
    """The fingerprint of the file's values, regardless of comments."""
    unread: tuple[Fault, ...] = ()
    """Why the servers' passwords could not be read, if they were not needed; no server can be asked then."""


def compile_configuration(file: SyncFile, path: Path, surroundings: Surroundings, faults: Faults) -> Configuration:
    """Compile *file* and check its tables against each other. The result is usable only if there are no *faults*."""
    from itopsync.config.stores import store_url

    external, internal = (
        _server(section, side, file.limits, surroundings.folder, faults)
        for section, side in ((file.external, Side.EXTERNAL), (file.internal, Side.INTERNAL))
    )
    if external.url and internal.url and identity(external.url) == identity(internal.url):
        faults.add("internal.url", "both sides are the same server", "Write the address of the company's own server")
    routes = BySide(*(written_routes(settings, settings.side, surroundings, faults) for settings in (external, internal)))
    classes, routing = compile_classes(file, routes, faults)
    return Configuration(
        path=path,
        rules=Rules(
            pair=file.pair,
            external=_side(external, routing.external),
            internal=_side(internal, routing.internal),
            classes=classes,
            since=_since(file.scope, external),
            attachments=file.rules.attachments,
            deletion=file.rules.deletion,
            images=file.rules.images,
            new_tickets=file.rules.new_tickets.allows(Side.EXTERNAL),
            keep_internal=file.rules.keep_internal,
            tell_parked=file.rules.tell_parked,
            headers=file.headers,
            limits=file.limits,
        ),
        external=external,
        internal=internal,
        store_url=store_url(file.store, surroundings.folder, faults),
        lease=file.store.lease,
        schedule=file.schedule,
        engine=_engine(file, max(external.connections, internal.connections)),
        metrics=_metrics(file.metrics, file.schedule, faults),
        hooks=file.hooks,
        log_level=file.logging.level.value,
    )


def _server(section: ServerSection, side: Side, limits: Limits, folder: Path, faults: Faults) -> ServerSettings:
    if section.timeout >= limits.landing:
        remedy = f"Make it shorter, or limits.landing longer, which is {write_duration(limits.landing)}"
        faults.add(f"{side}.timeout", "a write could still land after limits.landing", remedy)
    # Constructed without validating again: preparing another model would noticeably slow down the start.
    settings = ServerSettings.model_construct(**dict(section), side=side, password=section.secret)
    a_file = limits.file_size * 4 // 3 + _AROUND_A_FILE
    derived: dict[str, object] = {"max_answer_bytes": max(settings.max_answer_bytes, a_file)}
    if section.password_file is not None:
        derived["password_file"] = str(located(folder, section.password_file))
    return settings.model_copy(update=derived)


def _side(settings: ServerSettings, routing: Routing) -> SideRules:
    rules = SideRules(
        label=settings.label or settings.side.capitalize(),
        url=settings.url,
        public_url=settings.public_url or settings.url,
        timezone=settings.timezone,
        date_format=settings.date_format,
        defaults=MappingProxyType(last(settings.defaults)),
        routing=routing,
    )
    return rules if settings.max_request is None else replace(rules, request_bytes=settings.max_request)


def _since(section: ScopeSection, external: ServerSettings) -> str:
    since = to_utc(section.since, external.timezone) if section.since else datetime.min.replace(tzinfo=UTC)
    return since.isoformat(timespec="seconds")


def _engine(file: SyncFile, connections: int) -> EngineSettings:
    """Use more workers than connections, so that workers waiting for one server leave the other busy; long cycles also poll."""
    plain = EngineSettings(workers=min(2 * connections, MOST_WORKERS), keep_activity=file.activity.keep)
    poll = file.schedule.poll
    return replace(plain, look_meanwhile=poll) if isinstance(poll, timedelta) else plain


def _metrics(section: MetricsSettings, schedule: Schedule, faults: Faults) -> MetricsSettings:
    given = "max_age" in section.model_fields_set
    if isinstance(schedule.poll, str):
        if section.listen and not given:
            remedy = "Set how old the last good cycle may be, since schedule.poll is a cron expression"
            faults.add("metrics.max_age", "it is missing", remedy)
        return section
    if given and section.max_age <= schedule.slowest:
        remedy = f"Make it a few times as long as schedule.poll_quiet, which is {write_duration(schedule.slowest)}"
        faults.add("metrics.max_age", "in quiet hours, cycles are further apart than this", remedy)
    return section if given else section.model_copy(update={"max_age": max(section.max_age, 3 * schedule.slowest)})

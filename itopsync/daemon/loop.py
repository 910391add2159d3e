"""The loop: cycles on a timer until told to stop. APScheduler is the timer and nothing else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from datetime import timedelta
from types import FrameType

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from itopsync.config import Schedule
from itopsync.daemon.listeners import Ended, Listener, tell
from itopsync.engine.cycle import POLL, SWEEP, Engine
from itopsync.errors import AnotherInstance, ItopsyncError, SafetyStop, StoreError

log = structlog.get_logger(__name__)


def run(engine: Engine, schedule: Schedule, listeners: Iterable[Listener] = ()) -> None:
    """Run cycles until SIGTERM or SIGINT, and tell *listeners* how each ended.

    :raises AnotherInstance: the lease was lost
    :raises StoreError: the store is not usable any more
    """
    stop = threading.Event()
    fatal: list[BaseException] = []

    at_work = threading.Lock()
    told = tuple(listeners)

    def job(kind: str) -> None:
        try:
            with at_work:
                report = engine.cycle(kind)
            tell(told, Ended(kind, report))
        except SafetyStop as error:
            log.error("safety stop", kind=error.kind, reason=str(error))
            tell(told, Ended(kind, error))
        except (AnotherInstance, StoreError) as error:
            tell(told, Ended(kind, error))
            fatal.append(error)
            stop.set()
        except ItopsyncError as error:
            log.error("cycle failed", reason=str(error))
            tell(told, Ended(kind, error))
        except Exception as error:  # a timer's thread swallows what it does not know: end the process instead
            log.exception("internal error")
            fatal.append(error)
            stop.set()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    scheduler = BackgroundScheduler(timezone="UTC")
    for kind, when, jitter in ((POLL, schedule.poll, schedule.jitter), (SWEEP, schedule.sweep, timedelta())):
        trigger = trigger_of(when, jitter)
        scheduler.add_job(job, trigger, [kind], max_instances=1, coalesce=True, misfire_grace_time=None, id=kind)
    scheduler.start()
    log.info("started", poll=str(schedule.poll), sweep=str(schedule.sweep))
    try:
        job(POLL)
        while not stop.wait(3_600):
            pass
    finally:
        scheduler.shutdown(wait=True)
        for number, handler in before.items():
            signal.signal(number, handler)
        log.info("stopped")
    if fatal:
        raise fatal[0]


def trigger_of(when: timedelta | str, jitter: timedelta) -> IntervalTrigger | CronTrigger:
    """The timer of a job: an interval, or a cron expression."""
    if isinstance(when, str):
        return CronTrigger.from_crontab(when, timezone="UTC")
    return IntervalTrigger(seconds=int(when.total_seconds()), jitter=int(jitter.total_seconds()) or None)

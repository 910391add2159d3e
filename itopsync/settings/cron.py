"""Cron expressions. Loaded only where one is written."""

from __future__ import annotations

from apscheduler.triggers.cron import CronTrigger


def cron(expression: str) -> CronTrigger:
    """Parse a cron expression, in UTC. :raises ValueError, OverflowError: it is not one"""
    return CronTrigger.from_crontab(expression, timezone="UTC")

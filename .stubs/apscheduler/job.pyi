from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

class Job:
    trigger: BaseTrigger
    next_run_time: datetime
    def modify(self, *, next_run_time: datetime) -> Job: ...

EVENT_JOB_ERROR: int

class JobExecutionEvent:
    exception: BaseException | None

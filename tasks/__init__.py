"""What can be run: the task base class and the tasks themselves."""

from tasks.async_job import AsyncJob
from tasks.declaring import task
from tasks.errors import JobCancelledError
from tasks.job import Job
from tasks.retrying import Cancel, RetryLater

__all__ = ["AsyncJob", "Cancel", "Job", "JobCancelledError", "RetryLater", "task"]

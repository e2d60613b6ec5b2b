"""What can be run: the task base class and the tasks themselves."""

from tasks.async_job import AsyncJob
from tasks.declaring import task
from tasks.job import Job

__all__ = ["AsyncJob", "Job", "task"]

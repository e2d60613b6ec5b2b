"""The same body as twenty tasks, each on a queue of its own: what a tenant may do that wants more than its share.

Import it with `PARTYWALL_QUEUES` set, as workers do: a queue that nobody serves cannot be declared.
"""

from bench.load.tasks import SPREAD, write_mark
from tasks import task
from tasks.settings import TaskSettings

_served = TaskSettings.load().queue_names

for _name, _queue in SPREAD.items():
    task(_name, queue=_queue if _queue in _served else None)(write_mark)

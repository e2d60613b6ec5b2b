"""The same body as twenty tasks, each on a queue of its own: what a tenant may do that wants more than its share."""

from typing import Final

from bench.load.tasks import write_mark
from tasks import task

NAME: Final = __name__
QUEUES: Final = {f"bench.mark_{number}": f"bench-{number}" for number in range(20)}
"""By task, its queue."""

for _name, _queue in QUEUES.items():
    task(_name, queue=_queue)(write_mark)

"""Celery's settings, one reason a line. Redis is a hint and PostgreSQL the record; these settings say so to Celery."""

from celery.schedules import crontab, schedule
from kombu import Queue

from tasks.holding import UNACKNOWLEDGED_SECONDS
from tasks.registry import PLATFORM_QUEUE
from tasks.routing import route
from tasks.settings import TaskSettings
from tasks.urgency import STEPS

_settings = TaskSettings.load()

broker_url = _settings.broker_url.get_secret_value() if _settings.broker_url else None
imports = _settings.module_names

# -- what is sent ---------------------------------------------------------------------------------
task_serializer = "json"  # ids and a nonce; nothing that needs more
accept_content = ["json"]  # pickle from a broker is remote code execution
# Results live in PostgreSQL under row-level security: no second store to leak. Chords need one, so it can be had.
_results = _settings.result_backend_url
result_backend = _results.get_secret_value() if _results else "tasks.no_results:NoResults"
task_ignore_result = _results is None  # so nothing waits for a backend that is not there
result_expires = 3600  # what a canvas passes on is read at once, or never
task_default_queue = _settings.queue_names[0]  # Celery's own "celery" is served by nobody
task_queues = [Queue(name) for name in (*_settings.queue_names, PLATFORM_QUEUE)]  # what a worker without -Q serves
task_routes = [route]  # a task runs where it was declared to run
task_create_missing_queues = False  # a typo cannot make a queue that nobody serves
task_send_sent_event = False  # would add a Flower series for every producer pid

# -- who keeps a message until when ---------------------------------------------------------------
task_acks_late = True  # a cold or soft shutdown hands the message back; the claim in PostgreSQL stops doubles
task_reject_on_worker_lost = True  # the broker lets go at once; the job itself waits for its lease to end
task_acks_on_timeout = True  # False looped without end; the database decides on retries
worker_prefetch_multiplier = 1  # a hoarded message waits behind a long body; its job shows as dispatched
broker_connection_retry_on_startup = True  # a worker may be there before its broker
broker_connection_max_retries = None  # a broker that is away for an hour is no reason to give up
broker_pool_acquire_timeout = 10  # the default blocks for ever
broker_heartbeat = 10  # RabbitMQ: with the default 120 a black-holed worker stays deaf for minutes
broker_transport_options = (
    {
        "priority_steps": list(STEPS),  # a list for each: a tenant that comes back overtakes
        # Twice what a call may take, delay and all: a message that was fetched may wait behind another's body.
        "visibility_timeout": 2 * UNACKNOWLEDGED_SECONDS,
        "unacked_restore_interval": 5,  # seconds between looks for messages of dead workers
        "unacked_restore_throttle": 1,  # the default cadence adds about 100 s to a recovery
        "socket_timeout": 10,  # unset, a black-holed connection leaves the worker deaf for good
        "socket_connect_timeout": 5,  # a broker that does not answer is tried again, not waited for
        "socket_keepalive": True,  # tells a firewall that forgot the connection from a quiet broker
        "health_check_interval": 5,  # drops a stale BRPOP
    }
    if (broker_url or "redis").startswith("redis")
    else {}
)

# -- how a worker behaves -------------------------------------------------------------------------
worker_send_task_events = True  # Flower lists nothing without them
worker_enable_remote_control = False  # one raw PUBLISH can shut a worker down; Flower lists tasks without it
worker_soft_shutdown_timeout = 0  # it sleeps to its end even when all is done; workers/process.py keeps the grace
worker_lost_wait = 0.5  # seconds for a killed child's last word; what it did stands in PostgreSQL or nowhere
worker_enable_soft_shutdown_on_idle = False  # nothing here waits in a worker for its ETA: an idle one just ends
worker_max_tasks_per_child = 1000  # bounds what a leaking task can take
worker_hijack_root_logger = False  # tasks/logs.py owns logging: JSON lines, redacted
worker_redirect_stdouts = False  # a print in a body stays a print, not a log line without a job
worker_cancel_long_running_tasks_on_connection_loss = False  # their lease is in PostgreSQL; they may finish
enable_utc = True  # moments are compared across machines
timezone = "UTC"  # the clock that crontab() below is read by

# -- what the clock starts ------------------------------------------------------------------------
beat_scheduler = "workers.beat:MomentScheduler"  # tells a fan-out which moment it is for: once per tenant and moment
beat_schedule = {
    "maintenance.prune_jobs": {
        "task": "maintenance.fan_out",
        "kwargs": {"schedule": "maintenance.prune_jobs", "task_name": "maintenance.prune_jobs"},
        "schedule": (
            schedule(run_every=_settings.maintenance_every_seconds)
            if _settings.maintenance_every_seconds
            else crontab(hour="3", minute="0")  # the quiet hour, UTC
        ),
    },
}

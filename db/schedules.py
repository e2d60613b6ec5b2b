"""Starting one declared task for every active tenant."""

from datetime import datetime

from sqlalchemy import Connection, text


def fan_out(
    connection: Connection, *, schedule: str, moment: datetime, task_name: str, queue: str, max_attempts: int
) -> int:
    """Accept one job of the task, with an empty payload, for every active tenant; return how many are new.

    Once per tenant, schedule and moment, however often it is called.
    """
    accepted = connection.execute(
        text("select partywall.fan_out(:schedule, :moment, :task_name, :queue, :max_attempts)"),
        {
            "schedule": schedule,
            "moment": moment,
            "task_name": task_name,
            "queue": queue,
            "max_attempts": max_attempts,
        },
    ).scalar_one()
    connection.commit()
    return int(accepted)

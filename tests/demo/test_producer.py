"""The producer is a stranger: HTTP is all it knows of the system."""

import subprocess
import sys

from cli.stack.services import PROJECT

ASK = """
import sys
import cli.demo.producer
ours = {"db", "tasks", "workers", "api", "sqlalchemy", "psycopg", "celery", "redis"}
print(sorted(ours & {name.partition(".")[0] for name in sys.modules}))
"""


def test_the_producer_imports_nothing_of_what_it_talks_to() -> None:
    asked = subprocess.run([sys.executable, "-c", ASK], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert asked.stdout.strip() == "[]"


def test_a_producer_that_cannot_go_on_says_why_in_an_event_and_fails() -> None:
    order = (
        '{"api_url": "http://127.0.0.1:1", "source": "/nonexistent", "directory": "/nonexistent", "rows_per_part": 1,'
        ' "tenants": []}'
    )
    ended = subprocess.run(
        [sys.executable, "-m", "cli.demo.producer"],
        cwd=PROJECT,
        input=order,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert '"event":"producer_failed"' in ended.stdout
    assert ended.stderr == ""

"""Procrastinate: `procrastinate --app=bench.load.procrastinate_worker.app worker`, with its defaults."""

import os

from procrastinate import App, PsycopgConnector

from bench.load.bare_body import mark

DATABASE = "BENCH_PROCRASTINATE_DATABASE_URL"
TASK = "bare.mark"

app = App(connector=PsycopgConnector(conninfo=os.environ.get(DATABASE, "")))
app.task(name=TASK)(mark)

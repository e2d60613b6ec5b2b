"""The Celery application."""

from celery import Celery

from workers import process

app = Celery("partywall")
app.config_from_object("celeryconfig")
process.connect_signals()

"""The Celery application."""

from tasks.application import TenantCelery
from workers import process

app = TenantCelery("partywall")
app.config_from_object("celeryconfig")
process.connect_signals()

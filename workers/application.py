"""The Celery application."""

from tasks.application import TenantCelery
from workers import process
from workers.hanging_up import HangUp

app = TenantCelery("partywall")
app.config_from_object("celeryconfig")
# In threads other than this one Celery would make up another application, which knows no tenant.
app.set_default()
process.connect_signals()
app.steps["consumer"].add(HangUp)

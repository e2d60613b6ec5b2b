"""What the environment tells the dispatcher."""

import pytest
from pydantic import ValidationError

from workers.dispatcher import Dispatcher
from workers.settings import DispatcherSettings


def test_the_dispatcher_does_as_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_IN_FLIGHT_LIMIT", "40")
    monkeypatch.setenv("PARTYWALL_RESEND_AFTER_SECONDS", "2.5")

    assert Dispatcher().settings == DispatcherSettings(in_flight_limit=40, resend_after_seconds=2.5)


@pytest.mark.parametrize("name", ["PARTYWALL_IN_FLIGHT_LIMIT", "PARTYWALL_RESEND_AFTER_SECONDS"])
def test_what_would_stop_all_dispatching_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "0")

    with pytest.raises(ValidationError):
        DispatcherSettings.load()

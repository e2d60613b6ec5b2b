"""No secret of a tenant in what is kept or logged."""

import pytest

from db.context import TenantContext
from tasks.redaction import redact

TOKEN = f"pw1.1.01a20718-3482-7f77-818c-0caffbe18a9d.job/01a20718-349d-7bc8-aa23-421cd6c3cfa8/1.1795000000.{'ab' * 32}"
KEY = "pw_1f99fc7ff8940f81_aV3-_x" + "y" * 37


@pytest.mark.parametrize(
    "secret",
    [TOKEN, KEY, "postgresql://partywall_worker:s3cret@127.0.0.1/x", "password=s3cret host=x", "Bearer s3cret"],
)
def test_a_secret_is_taken_out_wherever_it_stands(secret: str) -> None:
    said = redact(f"could not ({secret}): because")

    assert "s3cret" not in said
    assert "abab" not in said
    assert "yyyy" not in said
    assert said.startswith("could not (")
    assert "because" in said


def test_what_is_no_secret_stays() -> None:
    assert redact("job 01a20718 failed at pw.py:12, see password rules") == (
        "job 01a20718 failed at pw.py:12, see password rules"
    )


def test_a_context_does_not_show_its_token() -> None:
    assert "abab" not in repr(TenantContext.of(TOKEN))

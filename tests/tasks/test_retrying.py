"""When a failed job tries again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import PayloadInvalidError
from tasks.retrying import RetryPolicy, delay_before_retry


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (2, 4), (3, 8), (20, 3600)])
def test_the_longest_delay_doubles_up_to_the_cap(attempt: int, seconds: float) -> None:
    assert delay_before_retry(attempt, base_seconds=2, cap_seconds=3600, jitter=1) == seconds


@given(
    attempt=st.integers(1, 10_000_000),
    base=st.floats(0, 1e6),
    cap=st.floats(0, 1e6),
    jitter=st.floats(0, 1),
)
def test_no_delay_is_negative_or_over_the_cap(attempt: int, base: float, cap: float, jitter: float) -> None:
    assert 0 <= delay_before_retry(attempt, base_seconds=base, cap_seconds=cap, jitter=jitter) <= cap


def test_an_error_that_no_retry_can_help_says_so() -> None:
    policy = RetryPolicy(max_attempts=5)

    assert policy.delay_after(1, PayloadInvalidError(errors=[])) is None
    assert policy.delay_after(1, ValueError()) is not None

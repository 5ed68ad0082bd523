"""The basis of a conversation's id: the JSON written by hand is the encoder's, so that no known id changes."""

from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from cpa_core.models import digest
from cpa_core.sources.identity.talks import basis_of, second

TIMES = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)).map(datetime.astimezone)
USERS = st.none() | st.text(st.characters()) | st.sampled_from(['a"b\\c', "\x00\x1f\x7f", "\ud800", "é\u2028", ""])


@given(USERS, st.none() | TIMES, st.none() | st.dates(), st.integers(-(2**63), 2**63 - 1))
def test_a_basis_is_the_digest_of_user_start_and_link(
    user_id: str | None, started_at: datetime | None, day: date | None, link: int
) -> None:
    start = second(started_at) if started_at else day
    assert basis_of("call", user_id, started_at, day, link) == digest(["call", user_id, start, link])[:20]

"""What is shown of a source's address: never its login, whatever stands in it."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpa_core.cli import main
from cpa_core.settings import changed, settings
from cpa_core.settings.addresses import is_database, without_login
from cpa_core.sources.databases.sessions import Address, libpq

ADDRESSES = {
    "postgresql://host/app": "postgresql://host/app",
    "postgres://host:5433/app": "postgresql://host:5433/app",
    "postgresql://u@host/app": "postgresql://host/app",
    "postgresql://u:pw@host:5432/app?sslmode=require": "postgresql://host:5432/app",
    "postgresql://u:pw@a:1,b:2/app?target_session_attrs=any": "postgresql://a:1,b:2/app",
    "postgresql://u:pw@[::1]:5432/app": "postgresql://[::1]:5432/app",
    "postgresql://host/app?user=a@b&password=pw": "postgresql://host/app",
    "postgresql:///app?host=/run/pg&user=u&password=pw": "postgresql:///run/pg/app",
    "postgresql://u:p@w@host/app": "postgresql://host/app",
    "postgresql://u:p/w?x=1#y@host/app": "postgresql://host/app",
    "snowflake://u:pw@account/db/schema?warehouse=w": "snowflake://account/db/schema",
    "mysql://u:pw@host/app": "mysql://host/app",
    "redis://u:pw@host/0": "redis://host/0",
    "host=h password=pw dbname=d": "host=h password=... dbname=d",
    "s3://bucket/key@2x.json": "s3://bucket/key@2x.json",
    "folder/a@b.json": "folder/a@b.json",
    "file:///tmp/a@b": "file:///tmp/a@b",
}


@pytest.mark.parametrize("written", ADDRESSES)
def test_an_address_is_shown_without_its_login(written: str) -> None:
    assert without_login(written) == ADDRESSES[written]
    assert settings({"CPA_SOURCE": written}).source == ADDRESSES[written]
    assert without_login(ADDRESSES[written]) == ADDRESSES[written]


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_login_is_in_a_representation_and_libpq_is_given_it_whole(user: str, password: str) -> None:
    user, password = (
        f"u-{user}-u".encode(errors="replace").decode(),
        f"p-{password}-p".encode(errors="replace").decode(),
    )
    written = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@host/app"
    made = settings({"CPA_SOURCE": written})
    assert made.source == "postgresql://host/app" and "p-" not in repr(made) and "u-" not in repr(made)
    assert libpq(Address("", made.source_login or "")).startswith(f"{written}?")


@pytest.mark.parametrize("mark", ["@", "/", "#", "?", ":", "%", "?a=", "/?", "@:"])
def test_a_login_that_is_not_encoded_is_not_shown_either(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    written = f"postgresql://u:{mark}s3cret@127.0.0.1:9/app"
    assert main(["land", written, "--table", "t", "--watermark", "w"], {}) == 2
    shown = capsys.readouterr()
    assert "127.0.0.1:9/app: the connection is refused" in shown.err and "s3cret" not in shown.err + shown.out


def test_another_source_forgets_the_login() -> None:
    given = changed(settings({"CPA_SOURCE": "postgresql://u:pw@h/d"}), source="chats.json")
    assert (given.source, given.source_login) == ("chats.json", None)
    assert is_database("POSTGRES://h/d") and not is_database("chats.json")

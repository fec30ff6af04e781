"""People sign in while Redis is away, and nobody may guess passwords meanwhile."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache

from tests.app.builders import make_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
SIGN_IN = "/accounts/login/"


@pytest.fixture(autouse=True)
def redis_away(settings: SettingsWrapper) -> Iterator[None]:
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        location = f"redis://127.0.0.1:{nobody.getsockname()[1]}"
        settings.CACHES = {"default": {"BACKEND": "crm.cache.RedisOrMemoryCache", "LOCATION": location}}
        yield


@pytest.fixture(autouse=True)
def anna() -> None:
    user = make_user("anna")
    user.set_password(PASSWORD)
    user.save()


def test_people_sign_in_while_redis_is_away(client: Client) -> None:
    answer = client.post(SIGN_IN, {"login": "anna", "password": PASSWORD})
    assert answer.status_code == 302
    assert "_auth_user_id" in client.session


def test_wrong_passwords_are_still_counted_while_redis_is_away(client: Client) -> None:
    for _ in range(12):
        answer = client.post(SIGN_IN, {"login": "anna", "password": "a guess"}, REMOTE_ADDR="192.0.2.77")
    answer = client.post(SIGN_IN, {"login": "anna", "password": PASSWORD}, REMOTE_ADDR="192.0.2.77")
    assert answer.status_code != 302
    assert "_auth_user_id" not in client.session


def test_what_is_kept_meanwhile_can_be_read_counted_and_removed() -> None:
    assert cache.add("key", 1, 60)
    assert not cache.add("key", 5, 60)
    assert cache.incr("key") == 2
    cache.set("key", 7, 60)
    assert cache.touch("key", 60)
    assert cache.get("key") == 7
    assert cache.get_many(["key", "other"]) == {"key": 7}
    cache.delete_many(["other"])
    assert cache.delete("key")
    assert cache.get("key", "none") == "none"


def test_one_who_says_nothing_is_waited_for_once_and_then_left_alone_ten_times_as_long(
    settings: SettingsWrapper,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"redis://127.0.0.1:{silent.getsockname()[1]}?socket_timeout=0.2"
        settings.CACHES = {"default": {"BACKEND": "crm.cache.RedisOrMemoryCache", "LOCATION": location}}
        began = time.monotonic()
        cache.set("key", 1, 60)
        waited = time.monotonic() - began
        assert connections(silent)
        while time.monotonic() < began + 10 * waited - 0.1:
            cache.set("key", 1, 60)
        assert not connections(silent)


def connections(server: socket.socket) -> int:
    """How many have come in since this was asked last."""
    server.setblocking(False)
    number = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            number += 1
    return number


def test_an_outage_is_said_once_and_redis_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(20):
        cache.set(f"key-{number}", number, 60)
    assert [record.name for record in caplog.records] == ["crm.cache"]
    assert cache.get("key-19") == 19

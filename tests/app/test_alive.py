"""A web server's sign of life costs a page nothing, and breaks none, whatever is out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailaccounts.models import Beat
from mailaccounts.services.trail import beats
from tests.app.builders import make_user

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db

ALIVE = "mailaccounts.middleware.AliveMiddleware"
PAGE = "/settings/email-accounts/"


@pytest.fixture
def browser(settings: SettingsWrapper) -> Client:
    """Of somebody who is signed in, at a server that gives signs of life."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, ALIVE]
    browser = Client()
    browser.force_login(make_user())
    return browser


def test_it_is_given_once_a_minute_whatever_people_ask_for(browser: Client) -> None:
    assert browser.get(PAGE).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        for _ in range(3):
            assert browser.get(PAGE).status_code == 200
    assert not [each["sql"] for each in asked.captured_queries if "mailaccounts_beat" in each["sql"]]
    assert Beat.objects.count() == 1


@pytest.mark.parametrize("trouble", [OperationalError, InternalError, InterfaceError, DatabaseError])
def test_a_database_that_cannot_be_written_breaks_no_page(
    browser: Client, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    def read_only(*_: Any, **__: Any) -> None:
        raise trouble("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(beats, "note", read_only)
    assert browser.get(PAGE).status_code == 200


def test_what_is_answered_before_there_is_a_session_is_answered_all_the_same(settings: SettingsWrapper) -> None:
    """By a host that has put it first, or that has no sessions at all."""
    settings.MIDDLEWARE = [ALIVE, *settings.MIDDLEWARE]
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get(PAGE).status_code == 301
    settings.MIDDLEWARE = [ALIVE]
    assert Client().get("/healthz").status_code == 200
    assert not Beat.objects.exists()

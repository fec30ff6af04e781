"""The admin's lists speak in sentences: what filters are called, and what is said of none, one and many."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from mailaccounts.models import (
    BreakGlass,
    Grant,
    MailAccount,
    MigrationRun,
    WebhookDelivery,
)
from tests.app.builders import make_account, make_client, make_grant, make_opening, make_quarantined

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

pytestmark = pytest.mark.django_db


def app_only_grant(client: Any) -> Grant:
    return make_grant(client, app_only=True, tenant="the-tenant")


def make_run(client: Any, **columns: Any) -> MigrationRun:
    return MigrationRun.objects.create(**{"to": "xoauth2", "client": client, **columns})


def at(model: Any) -> str:
    return reverse(f"admin:mailaccounts_{model._meta.model_name}_changelist")


def said(client: Client, action: str, rows: list[Any]) -> str:
    """What is said last after ``action`` on these rows of one model."""
    answer: Any = client.post(at(type(rows[0])), {"action": action, "_selected_action": [row.pk for row in rows]})
    return [str(message) for message in get_messages(answer.wsgi_request)][-1]


def paused() -> MailAccount:
    return make_account(status="ok", paused_at=timezone.now())


def over() -> BreakGlass:
    return make_opening(make_account(), until=timezone.now())


@pytest.mark.parametrize(
    ("action", "does", "doesnt", "nothing"),
    [
        ("sync_now", lambda: make_account(status="ok"), paused, "Nothing will be synced"),
        ("pause", lambda: make_account(status="ok"), paused, "Nothing was paused"),
        ("resume", paused, lambda: make_account(status="ok"), "Nothing was resumed"),
        ("ask_owner", lambda: make_account(status="needs_owner"), paused, "Nobody is asked"),
        ("end_now", lambda: make_opening(make_account()), over, "None of them was open any more."),
    ],
)
def test_what_came_of_an_action_is_said_in_a_sentence_that_fits(
    boss: Client, action: str, does: Callable[[], Any], doesnt: Callable[[], Any], nothing: str
) -> None:
    none = said(boss, action, [doesnt()])
    assert none.startswith(nothing)
    one = said(boss, action, [does(), doesnt()])
    assert re.search(r"\b1 (account|mailbox)\b", one)
    many = said(boss, action, [does(), does()])
    assert re.search(r"\b2 (accounts|mailboxes)\b", many)
    assert not re.search(r"\b0\b", none + one + many)


@pytest.mark.parametrize(
    ("action", "make", "words"),
    [
        ("try_again", lambda: make_quarantined(make_account()), ("1 message will", "2 messages will")),
        (
            "send_again",
            lambda: WebhookDelivery.objects.create(event="alarm.raised"),
            ("1 delivery is", "2 deliveries are"),
        ),
    ],
)
def test_what_can_always_be_done_is_counted(
    boss: Client, action: str, make: Callable[[], Any], words: tuple[str, str]
) -> None:
    assert said(boss, action, [make()]).startswith(words[0])
    assert said(boss, action, [make(), make()]).startswith(words[1])


def test_what_filters_are_called_goes_on_where_the_admin_says_by(boss: Client) -> None:
    titles = set()
    for model in admin.site._registry:
        if model._meta.app_label == "mailaccounts":
            page = boss.get(at(model)).content.decode()
            titles |= {" ".join(each.split()) for each in re.findall(r"<summary>\s*By ([^<]+?)\s*</summary>", page)}
    assert {"who began it", "when it was opened", "when it happened", "whom it is for"} <= titles
    broken = re.compile(r"^(by|not|now|app only|.* at|at|to|opened|created.*)$")
    assert [each for each in titles if broken.match(each)] == []


@pytest.mark.parametrize(
    ("model", "query", "make"),
    [
        (
            MigrationRun,
            "by_owner=1",
            lambda client: MigrationRun.objects.create(to="xoauth2", client=client, by_owner=True),
        ),
        (MigrationRun, "to=app_only", lambda client: MigrationRun.objects.create(to="app_only", client=client)),
        (Grant, "app_only=1", app_only_grant),
        (Grant, "app_only=0", make_grant),
    ],
)
def test_filters_of_our_own_narrow_down(boss: Client, model: Any, query: str, make: Callable[[Any], Any]) -> None:
    client = make_client()
    for other in (make_grant, app_only_grant):
        other(make_client())
    make_run(client)
    row = make(client)
    page: Any = boss.get(f"{at(model)}?{query}")
    found = list(page.context["cl"].result_list)
    assert row in found
    assert len(found) < model.objects.count()

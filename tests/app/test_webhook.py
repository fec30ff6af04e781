"""The webhook: signed, at least once, to public hosts only, and slow for nobody but itself. Its target is a real https
server."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.conf import problems
from mailaccounts.errors import ConnectionTimedOut
from mailaccounts.models import Alarm, Message, WebhookDelivery
from mailaccounts.services.connecting.disconnect import disconnect
from mailaccounts.services.telling import announce, webhook
from tests.app.builders import make_credential, make_message
from tests.app.test_alarms import look
from tests.domains import Page, WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS = ["a" * 32, "b" * 32]


@pytest.fixture
def target(tmp_path: Path, settings: SettingsWrapper) -> Iterator[WebServer]:
    with WebServer(tmp_path, "127.0.0.1") as web:
        settings.MAILACCOUNTS = {
            **settings.MAILACCOUNTS,
            "WEBHOOK_URL": f"https://127.0.0.1:{web.port}/hook?of=crm",
            "WEBHOOK_SECRETS": SECRETS,
            "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8"],
            "CA_BUNDLE": str(web.ca_file),
        }
        web.pages[(f"127.0.0.1:{web.port}", "/hook?of=crm")] = Page()
        yield web


def page(target: WebServer) -> Page:
    return next(iter(target.pages.values()))


def again() -> None:
    """The next round, when what failed has its turn."""
    WebhookDelivery.objects.filter(next_at__isnull=False).update(next_at=timezone.now())
    webhook.deliver_due()


def test_what_happens_is_told_signed_and_with_ids_only(target: WebServer) -> None:
    account = make_credential().account
    stored = make_message(account, announced=False)
    announce.announce(account.pk)
    disconnect(account, erase_mail=False, actor=account.owner)
    tasks.deliver_webhook()
    assert Message.objects.get().announced
    told = [json.loads(body) for body in target.posted]
    assert [(each["event"], each["data"]) for each in told] == [
        ("message.stored", {"account_id": account.pk, "message_ids": [stored.pk]}),
        ("account.status_changed", {"account_id": account.pk, "status": "disconnected", "code": ""}),
    ]
    for (_, _, headers), body in zip(target.asked, target.posted, strict=True):
        assert account.address.encode() not in body
        assert headers["Mailaccounts-Delivery"] == json.loads(body)["id"]
        at, *proofs = headers["Mailaccounts-Signature"].split(",")
        signed = at.removeprefix("t=").encode() + b"." + body
        wanted = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in SECRETS]
        assert proofs == [f"v1={each}" for each in wanted]
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()


def test_what_is_rolled_back_is_told_to_nobody(target: WebServer) -> None:
    with transaction.atomic():
        webhook.note("alarm.raised", alarm_id=1)
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


def test_of_two_workers_one_delivers(target: WebServer) -> None:
    for number in range(4):
        webhook.note("alarm.raised", alarm_id=number)
    start, counts = threading.Barrier(2), []

    def worker() -> None:
        start.wait()
        counts.append(webhook.deliver_due())
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    webhook.deliver_due()
    assert len(target.posted) == 4 and sum(counts) <= 4


@pytest.mark.parametrize(("status", "location"), [(500, ""), (404, ""), (302, "https://127.0.0.1/elsewhere")])
def test_a_target_that_does_not_take_it_is_told_again_later_and_no_redirect_followed(
    target: WebServer, status: int, location: str
) -> None:
    page(target).status, page(target).headers = status, {"Location": location}
    webhook.note("alarm.raised", alarm_id=1)
    webhook.note("alarm.cleared", alarm_id=1)
    webhook.deliver_due()
    assert len(target.asked) == 1  # the second would fare no better just now
    first = WebhookDelivery.objects.get(attempts=1)
    assert (first.last_status, first.delivered_at) == (status, None)
    assert first.next_at and first.next_at > timezone.now()
    page(target).status = 200
    again()
    assert not WebhookDelivery.objects.filter(delivered_at=None).exists()
    assert len({json.loads(body)["id"] for body in target.posted}) == 2


def test_what_a_target_does_not_understand_holds_up_nothing_else(target: WebServer) -> None:
    page(target).status = 422
    for number in range(3):
        webhook.note("message.stored", account_id=number, message_ids=[])
    assert webhook.deliver_due() == 0
    assert len(target.asked) == 3 and not WebhookDelivery.objects.exclude(attempts=1, last_status=422).exists()


def test_after_a_day_it_is_given_up_which_is_an_alarm_until_one_works(target: WebServer, client: Client) -> None:
    page(target).status = 503
    webhook.note("outgoing.changed", outgoing_id=1)
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(hours=25))
    webhook.deliver_due()
    given_up = WebhookDelivery.objects.get()
    assert given_up.given_up_at and given_up.next_at is None
    look(2)
    assert Alarm.objects.get(kind="webhook").raised_at
    page(target).status = 200
    assert webhook.send_again(WebhookDelivery.objects.filter(pk=given_up.pk)) == 1
    again()
    look(2)
    assert Alarm.objects.get(kind="webhook").until


@pytest.mark.parametrize("where", ["127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1"])
def test_a_target_in_a_private_range_is_never_connected_to(
    target: WebServer, settings: SettingsWrapper, where: str
) -> None:
    url = f"https://{where}:{target.port}/hook"
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "ALLOW_PRIVATE_HOSTS": [], "WEBHOOK_URL": url}
    webhook.note("alarm.raised", alarm_id=1)
    webhook.deliver_due()
    assert target.asked == [] and WebhookDelivery.objects.get().last_code in {"host_not_allowed", "port_not_allowed"}


def test_a_target_that_answers_slowly_ends_its_round_and_holds_up_no_tick(
    target: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "ANSWER_SECONDS", 0.5)
    page(target).wait = threading.Event()
    for number in range(3):
        webhook.note("alarm.raised", alarm_id=number)
    tasks.tick()
    assert target.asked == []  # a tick queues, and waits for nobody
    assert webhook.deliver_due() == 0
    page(target).wait.set()  # type: ignore[union-attr]  # it was put there above
    assert WebhookDelivery.objects.get(attempts=1).last_code == ConnectionTimedOut.code
    assert WebhookDelivery.objects.filter(attempts=0).count() == 2


def test_a_certificate_that_is_not_the_targets_is_refused(target: WebServer, settings: SettingsWrapper) -> None:
    url = f"https://localhost:{target.port}/hook"
    settings.MAILACCOUNTS = {
        **settings.MAILACCOUNTS,
        "ALLOW_PRIVATE_HOSTS": ["127.0.0.0/8", "::1"],
        "WEBHOOK_URL": url,
    }
    webhook.note("alarm.raised", alarm_id=1)
    webhook.deliver_due()
    assert target.asked == [] and WebhookDelivery.objects.get().last_code == "certificate_untrusted"


def test_without_a_target_nothing_is_noted_and_old_deliveries_are_forgotten(target: WebServer) -> None:
    webhook.note("alarm.raised", alarm_id=1)
    webhook.deliver_due()
    WebhookDelivery.objects.update(created_at=timezone.now() - timedelta(days=15))
    webhook.note("alarm.raised", alarm_id=2)
    assert webhook.forget_old() == 1
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize(
    ("columns", "codes"),
    [
        ({"WEBHOOK_URL": "http://hook.example.test/", "WEBHOOK_SECRETS": SECRETS}, {"E020"}),
        ({"WEBHOOK_URL": "https://user:word@hook.example.test/", "WEBHOOK_SECRETS": SECRETS}, {"E020"}),
        ({"WEBHOOK_URL": "https://hook.example.test/?a=b"}, {"E021"}),
        ({"WEBHOOK_URL": "https://hook.example.test/", "WEBHOOK_SECRETS": ["short"]}, {"E021"}),
        ({"WEBHOOK_URL": "https://hook.example.test/", "WEBHOOK_SECRETS": SECRETS}, set()),
        ({"WEBHOOK_URL": ""}, set()),
    ],
)
def test_settings_that_can_not_work_are_reported(
    settings: SettingsWrapper, columns: dict[str, object], codes: set[str]
) -> None:
    found = problems({**settings.MAILACCOUNTS, **columns})
    assert {each.code for each in found} == codes

"""A log line says to which account, request and task it belongs, and never whose address or which subject that is."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from crm.models import Contact, ContactAddress
from mailaccounts import logs, tasks
from mailaccounts.models import MailAccount, Message
from tests.app.builders import make_user
from tests.app.pages import connect_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from tests.sandbox_fixtures import SandboxMailbox

MAIL = (
    b"From: Carl Contact <carl@customer.test>\r\nTo: %s\r\nSubject: Merger with Umbrella\r\nMessage-ID: <1@x.test>\r\n"
    b"Date: Thu, 01 Oct 2026 10:00:00 +0000\r\n\r\nTop secret\r\n"
)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the formatter writes of all that the app says, down to the details."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.JsonFormatter())
    root, ours = logging.getLogger(), logging.getLogger("mailaccounts")
    before = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    ours.setLevel(before)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.django_db(transaction=True)
def test_a_sync_is_logged_by_number_and_without_addresses_or_subjects(
    client: Client, anna: SandboxMailbox, written: io.StringIO
) -> None:
    contact = Contact.objects.create(name="Carl Contact")
    ContactAddress.objects.create(contact=contact, address="carl@customer.test")
    anna.append(MAIL % anna.address.encode())
    client.defaults["SERVER_NAME"] = "localhost"
    client.force_login(make_user("olga"))
    client.post("/settings/email-accounts/connect/", connect_data(anna))
    account = MailAccount.objects.get()
    MailAccount.objects.update(begun=True)
    with logs.correlated("the-request"):
        tasks.sync(account.pk)
    assert Message.objects.get().subject == "Merger with Umbrella"
    assert [line for line in lines(written) if line.get("account") == account.pk and "sync" in line["message"]]
    assert {line["correlation"] for line in lines(written) if "account" in line} == {"the-request"}
    for private in (anna.address, "customer.test", "Carl", "Umbrella", "Top secret", anna.password):
        assert private not in written.getvalue()


def test_an_address_that_somebody_logs_is_not_written(written: io.StringIO) -> None:
    logging.getLogger("mailaccounts").error("can't reach %s, password=hunter22", "Olga <olga@example.test>")
    try:
        raise ValueError("olga@example.test")
    except ValueError:
        logging.getLogger("mailaccounts").exception("odd")
    assert "olga@" not in written.getvalue()
    assert "hunter22" not in written.getvalue()
    assert [line["message"].split(",")[0] for line in lines(written)] == ["can't reach Olga <…>", "odd"]
    assert "ValueError" in lines(written)[1]["traceback"]


def test_a_request_keeps_the_id_it_came_with_and_gets_one_otherwise(client: Client) -> None:
    assert client.get("/healthz", headers={"x-request-id": "from-the-proxy"})["X-Request-ID"] == "from-the-proxy"
    first, second = (client.get("/healthz", headers={"x-request-id": "no good\t"})["X-Request-ID"] for _ in "12")
    assert first != second
    assert len(first) == len(second) == 16


@pytest.mark.django_db
def test_a_task_goes_by_the_id_of_the_request_that_queued_it(django_capture_on_commit_callbacks: Any) -> None:
    from django_q.models import OrmQ
    from django_q.signals import pre_execute
    from django_q.signing import SignedPackage

    from mailaccounts.queue import Job, enqueue

    with logs.correlated("a-request"), django_capture_on_commit_callbacks(execute=True):
        enqueue(Job.NOTIFY, 1)
    task = SignedPackage.loads(OrmQ.objects.get().payload)
    assert logs.correlation() == ""
    with logs.correlated():
        pre_execute.send(sender="django_q", func=None, task=task)
        assert logs.correlation() == "a-request"

"""What is kept in passing never comes between what was typed and what is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.test import Client

from mailaccounts.models import Outgoing, OutgoingState
from tests.app.builders import make_account, make_outgoing
from tests.crm_process import wait_until

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def waiting() -> int:
    """How many sessions wait for a row of this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction is told the same again and again
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def post(account: MailAccount, draft: Outgoing, **changes: Any) -> str:
    """A request of the owner's, from a thread of the web server's."""
    client = Client()
    client.force_login(account.owner)
    headers = {"HX-Request": "true"} if "do" not in changes else {}
    words = {"sender": account.pk, "to": "maria@c.test", "subject": "Offer", **changes}
    try:
        return client.post(f"/mail/drafts/{draft.pk}/", words, headers=headers).content.decode()
    finally:
        connection.close()


def test_what_was_typed_last_is_what_is_sent() -> None:
    account = make_account(status="ok")
    draft = make_outgoing(account)
    with ThreadPoolExecutor() as requests:
        with transaction.atomic():
            Outgoing.objects.select_for_update().get(pk=draft.pk)
            sent = requests.submit(post, account, draft, text="All of it", do="send")
            wait_until(lambda: waiting() == 1, what="the message is to be sent")
            late = requests.submit(post, account, draft, text="Half of")
            wait_until(lambda: waiting() == 2, what="half of it is to be kept")
        sent.result()
        assert 'data-code="outgoing_changed"' in late.result()
    draft.refresh_from_db()
    assert draft.state == OutgoingState.QUEUED
    assert b"All of it" in bytes(draft.raw or b"")

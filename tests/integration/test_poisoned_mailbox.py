"""A mailbox full of mail that was made to break its readers: good messages get through, and the bad ones as well."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from crm.models import Contact, TimelineEntry
from mailaccounts.models import Message, Quarantined, Thread
from mailaccounts.services.syncing.sync import sync_account
from tests.letters import CONTACT, letter
from tests.poison import POISON, cpython_mail

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount
    from tests.sandbox_fixtures import SandboxMailbox

GOOD_AFTER = 10  # messages comes a good one
WHOLE = 2**20  # octets up to which a message is read as a whole


@pytest.mark.parametrize("body_batch", [WHOLE, 20_000], ids=["whole", "in parts"])
def test_good_mail_is_stored_and_bad_mail_readably_or_in_quarantine(
    account: MailAccount,
    mailbox: SandboxMailbox,
    contact: Contact,
    settings: SettingsWrapper,
    client: Client,
    body_batch: int,
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "BODY_BATCH_BYTES": body_batch}
    good = []
    for number, poison in enumerate(POISON):
        mailbox.append(poison.raw)
        if number % GOOD_AFTER == 0:
            good.append(f"good-{number}@letters.test")
            mailbox.append(letter(message_id=good[-1], text="nothing wrong with it"))
    sender = f"From: Maria <{CONTACT}>\r\nMessage-ID: <%s@cpython.test>\r\n"
    library = cpython_mail()
    for name, raw in library.items():
        mailbox.append((sender % name).encode() + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    report = sync_account(account.pk)
    assert (report.error, report.finished) == (None, True)
    assert report.examined == len(POISON) + len(good) + len(library)
    texts = dict(account.messages.filter(has_body=True).values_list("message_id", "body_text"))
    assert [texts.get(each, "").strip() for each in good] == ["nothing wrong with it"] * len(good)
    set_aside = {each.message.message_id for each in Quarantined.objects.select_related("message") if each.message}
    lost = [
        poison.name
        for poison in POISON
        if poison.says not in texts.get(poison.message_id, "") and poison.message_id not in set_aside
    ]
    assert not lost
    assert len([each for each in texts if each.endswith("@cpython.test")]) == len(library)

    if body_batch == WHOLE:
        every_page_holds(client, account)

    again = sync_account(account.pk)  # nothing of it is asked for a second time
    assert (again.error, again.stored, again.bodies_fetched) == (None, 0, 0)
    assert Message.objects.count() == report.stored


def every_page_holds(client: Client, account: MailAccount) -> None:
    """Conversations, what their messages say, the contact's timeline and the inbox: all of it can be read."""
    client.force_login(account.owner)
    for thread in Thread.objects.filter(messages__isnull=False).distinct():
        holds(client, reverse("mailaccounts:thread", args=[thread.pk]))
    for message in Message.objects.filter(has_body=True):
        for pictures in ("", "?pictures"):
            body = reverse("mailaccounts:body", args=[message.pk]) + pictures
            assert client.get(body).status_code == 200, message.message_id
    timeline = holds(client, reverse("contact", args=[Contact.objects.get().pk]))
    shown = TimelineEntry.objects.values("fingerprint").distinct().count()
    assert timeline.count("data-message-id=") == shown > len(POISON)
    holds(client, reverse("inbox") + "?folder=all")


def holds(client: Client, address: str) -> str:
    """What the page says, with those that come next."""
    path, said, following = address.partition("?")[0], "", address
    while following:
        page = client.get(following)
        assert page.status_code == 200, following
        assert not {"\u202e", "\0", "\u2066"} & set(page.text), following
        said += page.text
        after = re.search(r'href="(\?[^"]*)"[^>]* rel="next"|rel="next" href="(\?[^"]*)"', page.text)
        following = path + unescape(after[1] or after[2]) if after else ""
    return said

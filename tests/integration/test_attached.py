"""Attachments come from the mailbox when they are opened: piece by piece, and as what they are."""

from __future__ import annotations

import re
from email.message import EmailMessage
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from mailaccounts.models import Attachment, Credential, MailAccount, Message, MessageUid
from mailaccounts.services.syncing.sync import sync_account
from tests.crm_process import wait_until
from tests.letters import CONTACT, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from crm.models import Contact
    from tests.sandbox_fixtures import SandboxMailbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
LARGE = bytes(range(251)) * 4000
PAGE = "<script>alert(1)</script>"


def letter() -> bytes:
    """With a picture in its text, a large file, a page that calls itself a picture, and a note."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = CONTACT, "me@sandbox.test", "Files"
    message["Message-ID"] = f"<{new_id()}>"
    message.set_content("See the files")
    message.add_alternative('<p>See <img src="cid:logo@x"></p>', subtype="html")
    message.get_payload()[1].add_related(PNG, maintype="image", subtype="png", cid="<logo@x>", filename="logo.png")
    message.add_attachment(LARGE, maintype="application", subtype="pdf", filename="Angebot für Köln.pdf")
    message.add_attachment(PAGE, subtype="html", filename="picture.png")
    message.add_attachment("Grüße = \n" * 100, cte="quoted-printable", filename="note.txt")
    return message.as_bytes().replace(b"\n", b"\r\n")


@pytest.fixture
def opened(account: MailAccount, mailbox: SandboxMailbox, contact: Contact, client: Client) -> Callable[..., Any]:
    """Opens the attachment of that name, of a message that was synced."""
    mailbox.append(letter())
    assert sync_account(account.pk).error is None
    client.force_login(account.owner)

    def get(name: str, query: str = "") -> Any:
        key = Attachment.objects.get(name=name).pk
        return client.get(reverse("mailaccounts:attachment", args=[key]) + query)

    return get


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_file_is_downloaded_in_pieces_and_nothing_else_of_the_message(
    opened: Callable[..., Any], mailbox: SandboxMailbox
) -> None:
    response = opened("Angebot für Köln.pdf")
    assert sha256(content(response)).digest() == sha256(LARGE).digest()
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''Angebot%20f%C3%BCr%20K%C3%B6ln.pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    commands = mailbox.rawlogs()[-1].commands
    fetched = [line for line in commands if "FETCH" in line]
    assert len(fetched) > 4 and all(re.search(r"BODY\.PEEK\[2\]<\d+\.\d+>", line) for line in fetched)
    assert not [line for line in commands if " SELECT " in line]  # EXAMINE marks nothing as read


def test_a_download_that_is_broken_off_leaves_the_mailbox(opened: Callable[..., Any], mailbox: SandboxMailbox) -> None:
    response = opened("Angebot für Köln.pdf")
    next(iter(response.streaming_content))
    response.close()
    wait_until(lambda: "LOGOUT" in mailbox.rawlogs()[-1].commands[-1], what="the end of the session")
    assert len([line for line in mailbox.rawlogs()[-1].commands if "FETCH" in line]) == 1


def test_a_picture_is_shown_and_what_only_calls_itself_one_is_not(opened: Callable[..., Any]) -> None:
    picture = opened("logo.png", "?show")
    assert (content(picture), picture["Content-Type"]) == (PNG, "image/png")
    assert picture["Content-Disposition"].startswith("inline")
    page = opened("picture.png", "?show")
    assert content(page).decode().strip() == PAGE
    assert page["Content-Type"] == "application/octet-stream"
    assert page["Content-Disposition"].startswith("attachment")
    for response in (picture, page):
        assert "default-src 'none'" in response["Content-Security-Policy"]
    assert content(opened("note.txt")).decode().replace("\r\n", "\n") == "Grüße = \n" * 100


def test_a_picture_of_the_text_comes_with_the_message(opened: Callable[..., Any], client: Client) -> None:
    message = Message.objects.get()
    page = client.get(reverse("mailaccounts:body", args=[message.pk])).content.decode()
    (address,) = re.findall(r'src="(/mail/image/[^"]+)"', page)
    client.logout()
    assert client.get(address).content == PNG
    thread = reverse("mailaccounts:thread", args=[message.thread_id])
    client.force_login(message.account.owner)
    assert "logo.png" not in client.get(thread).content.decode()


def test_what_is_not_in_the_mailbox_any_more_is_told_in_a_sentence(
    opened: Callable[..., Any], mailbox: SandboxMailbox
) -> None:
    MessageUid.objects.update(uid=999)
    response = opened("note.txt")
    assert response.status_code == 503
    assert "isn't in the mailbox any more" in response.content.decode().replace("&#x27;", "'")
    MessageUid.objects.all().delete()
    assert opened("note.txt").status_code == 503


def test_a_mailbox_that_lets_nobody_in_is_told_in_a_sentence(opened: Callable[..., Any], account: MailAccount) -> None:
    Credential.objects.all().delete()
    page = opened("note.txt")
    assert page.status_code == 503
    assert 'data-code="credential_missing"' in page.content.decode()
    assert "Back to the conversation" in page.content.decode()

"""What servers say no to, and connections that break before and after the dot: retried where it is safe only."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from mailaccounts import tasks
from mailaccounts.crypto import Secret
from mailaccounts.models import Credential, Filing, MailAccount, Outgoing, OutgoingState
from mailaccounts.services.connecting.connect import reconnect
from mailaccounts.services.sending import outbox
from mailaccounts.testing.sandbox import SandboxUser
from tests.integration.hostile import HostileServer, Peer
from tests.outgoing import queued, time_passes, work_off
from tests.sandbox_crm import switch_by_consent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailaccounts.testing.sandbox import Sandbox
    from tests.sandbox_fixtures import SandboxMailbox

HONEST = {
    b"MAIL": b"250 2.1.0 ok",
    b"RCPT": b"250 2.1.5 ok",
    b"DATA": b"354 go on",
    b"dot": b"250 2.0.0 accepted",
}
BREAKS_OFF = b""


class Server:
    """An SMTP server whose answers can be chosen; ``messages`` are those it has had to the end."""

    def __init__(self) -> None:
        self.answers = dict(HONEST)
        self.messages: list[bytes] = []
        self.sessions = 0
        self.takes = 1_000_000  # octets

    def play(self, peer: Peer) -> None:
        self.sessions += 1
        peer.send(b"220 mail.example.com ESMTP\r\n")
        peer.line()
        peer.send(b"250-mail.example.com\r\n250-AUTH PLAIN\r\n250 SIZE %d\r\n" % self.takes)
        peer.line()
        peer.send(b"334 \r\n")
        peer.line()
        peer.send(b"235 in\r\n")
        while True:
            word = peer.line()[:4].upper()
            if not self._answer(peer, word):
                return
            if word == b"DATA" and self.answers[word].startswith(b"3"):
                lines = [b""]
                while lines[-1] != b".\r\n":
                    lines.append(peer.line())
                    if self.answers.get(b"content") == BREAKS_OFF:
                        return
                self.messages.append(b"".join(lines))
                if not self._answer(peer, b"dot"):
                    return

    def _answer(self, peer: Peer, word: bytes) -> bool:
        answer = self.answers.get(word, b"221 bye")
        if answer == BREAKS_OFF:
            return False
        peer.send(answer, b"\r\n")
        return word != b"QUIT"


@pytest.fixture
def server(world: Sandbox, account: MailAccount) -> Iterator[Server]:
    """What the account sends through; its mailbox is in the sandbox."""
    played = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.certificates.cert_file, world.certificates.key_file)
    with HostileServer(played.play, context=context) as listening:
        MailAccount.objects.update(smtp_host="127.0.0.1", smtp_port=listening.port)
        account.refresh_from_db()
        yield played


def again(message: Outgoing) -> Outgoing:
    """A tick later, when its turn has come."""
    time_passes(message)
    tasks.tick()
    return work_off(message)


@pytest.mark.parametrize(
    ("word", "answer", "code"),
    [
        (b"MAIL", b"421 4.3.2 closing down", "server_busy"),
        (b"MAIL", b"451 4.3.0 try later", "server_busy"),
        (b"RCPT", b"450 4.2.1 greylisted", "server_busy"),
        (b"DATA", b"451 4.3.0 no room", "server_busy"),
        (b"dot", b"451 4.3.0 the queue is full", "server_busy"),
        (b"MAIL", b"550 5.4.5 daily sending quota exceeded", "throttled"),
        (b"MAIL", BREAKS_OFF, "connection_lost"),
        (b"RCPT", BREAKS_OFF, "connection_lost"),
        (b"DATA", BREAKS_OFF, "connection_lost"),
    ],
)
def test_what_passes_is_tried_again_and_sent_once(
    account: MailAccount, server: Server, word: bytes, answer: bytes, code: str
) -> None:
    server.answers[word] = answer
    message = work_off(queued(account, "maria@customer.test", text="x" * 70_000), jobs=1)
    delivered = len(server.messages)
    assert delivered == (word == b"dot")  # and refused
    assert (message.state, message.failures) == (OutgoingState.QUEUED, 1)
    assert message.code == code
    assert message.next_at is not None
    assert message.next_at > timezone.now()

    server.answers = {**HONEST}
    assert again(message).state == OutgoingState.SENT
    assert (message.code, message.failures) == ("", 0)
    assert len(server.messages) == delivered + 1


def test_a_connection_cut_before_the_dot_is_tried_again(account: MailAccount, server: Server) -> None:
    """With more of a message to come than the buffers between the two can hold."""
    server.takes = 30_000_000
    server.answers[b"content"] = BREAKS_OFF
    message = work_off(queued(account, "maria@customer.test", text=f"{'x' * 70}\n" * 230_000), jobs=1)
    assert (message.state, message.code, server.messages) == (OutgoingState.QUEUED, "connection_lost", [])
    assert message.next_at is not None


@pytest.mark.parametrize(
    ("word", "answer", "code"),
    [
        (b"MAIL", b"550 5.7.60 SendAsDenied", "sender_refused"),
        (b"MAIL", b"553 not your address", "sender_refused"),
        (b"MAIL", b"552 5.3.4 too big", "message_too_large"),
        (b"RCPT", b"550 5.1.1 unknown", "recipient_refused"),
        (b"RCPT", b"550 no such user here", "recipient_refused"),
        (b"DATA", b"554 no", "message_refused"),
        (b"dot", b"550 5.7.1 spam", "message_refused"),
        (b"dot", b"554 5.6.0 malformed", "message_refused"),
    ],
)
def test_what_does_not_pass_has_failed_and_says_why(
    account: MailAccount, server: Server, word: bytes, answer: bytes, code: str
) -> None:
    server.answers[word] = answer
    message = work_off(queued(account, "maria@customer.test"))
    assert (message.state, message.code, message.next_at) == (OutgoingState.FAILED, code, None)
    assert answer.decode() not in message.message
    before = server.sessions
    again(message)
    assert server.sessions == before

    server.answers = {**HONEST}
    outbox.send_again(message)
    assert work_off(message).state == OutgoingState.SENT


def test_what_is_more_than_the_server_takes_is_not_offered(account: MailAccount, server: Server) -> None:
    message = work_off(queued(account, "maria@customer.test", text="x" * 1_000_000))
    assert (message.state, message.code) == (OutgoingState.FAILED, "message_too_large")
    assert "1.0 MB at most" in message.message
    assert message.body_text


def test_a_connection_cut_after_the_dot_is_uncertain_and_not_tried_again(account: MailAccount, server: Server) -> None:
    server.answers[b"dot"] = BREAKS_OFF
    message = work_off(queued(account, "maria@customer.test"), jobs=1)
    assert (message.state, message.code) == (OutgoingState.UNCERTAIN, "delivery_uncertain")
    for _ in range(6):
        again(message)
    assert message.state == OutgoingState.UNCERTAIN
    assert len(server.messages) == 1
    outbox.was_sent(message)
    assert work_off(message).filing == Filing.DONE
    assert len(server.messages) == 1


def test_an_answer_to_the_dot_that_is_none_is_uncertain(account: MailAccount, server: Server) -> None:
    server.answers[b"dot"] = b"what?"
    message = work_off(queued(account, "maria@customer.test"), jobs=1)
    assert message.state == OutgoingState.UNCERTAIN


def test_it_is_given_up_after_some_days(account: MailAccount, server: Server) -> None:
    server.answers[b"MAIL"] = b"451 4.3.0 try later"
    message = work_off(queued(account, "maria@customer.test"))
    Outgoing.objects.update(queued_at=timezone.now() - timedelta(days=3))
    again(message)
    assert (message.state, message.code) == (OutgoingState.FAILED, "not_sent_in_time")


def test_a_dot_at_the_beginning_of_a_line_does_not_end_the_message(account: MailAccount, server: Server) -> None:
    work_off(queued(account, "maria@customer.test", text="one\n.\nRCPT TO:<x@y.test>\n..\n"))
    (content,) = server.messages
    assert content.endswith(b"one\r\n..\r\nRCPT TO:<x@y.test>\r\n...\r\n.\r\n")


def test_a_refused_password_is_tried_once_and_the_message_goes_when_the_account_is_reconnected(
    account: MailAccount, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    colleague, right = new_mailbox(), mailbox.password
    mailbox.sandbox.add_user(SandboxUser(address=mailbox.address, password="another-password"))
    message = work_off(queued(account, colleague.address))
    assert (message.state, message.code, message.next_at) == (OutgoingState.QUEUED, "password_rejected", None)
    OrmQ.objects.all().delete()
    again(message)
    assert not [each for each in OrmQ.objects.all() if "send" in each.task["func"]], "it waits for its owner"

    mailbox.sandbox.add_user(SandboxUser(address=mailbox.address, password=right))
    reconnect(account, backend="password", username=account.address, secret=Secret(right), actor=account.owner)
    tasks.tick()
    assert work_off(message).state == OutgoingState.SENT
    assert colleague.message_ids()["INBOX"] == [f"<{message.message_id}>"]


def test_a_dead_grant_keeps_the_message_until_its_owner_has_consented_again(
    account: MailAccount, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox], world: Sandbox
) -> None:
    colleague = new_mailbox()
    switch_by_consent(account, mailbox)
    world.idp.faults.revoke(mailbox.address)
    message = work_off(queued(account, colleague.address))
    assert (message.state, message.code) == (OutgoingState.QUEUED, "grant_revoked")
    assert "econnect" in message.message
    again(message)
    assert colleague.message_ids()["INBOX"] == []

    before = Credential.objects.get(account=account, state="active").pk
    switch_by_consent(account, mailbox)
    assert Credential.objects.get(account=account, state="active").pk != before
    tasks.tick()
    assert work_off(message).state == OutgoingState.SENT
    assert colleague.message_ids()["INBOX"] == [f"<{message.message_id}>"]


def test_a_stale_token_is_renewed_once_and_the_message_goes(
    account: MailAccount, mailbox: SandboxMailbox, new_mailbox: Callable[[], SandboxMailbox]
) -> None:
    colleague = new_mailbox()
    switch_by_consent(account, mailbox)
    grant = Credential.objects.get(account=account, state="active").grant
    assert grant is not None
    grant.access_token = Secret("not-the-token")
    grant.save()
    assert work_off(queued(account, colleague.address)).state == OutgoingState.SENT

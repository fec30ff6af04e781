"""What a worker does for an outgoing message: one step in one job, whichever is the next."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mailaccounts import logs, presets, tracing
from mailaccounts.conf import settings
from mailaccounts.errors import (
    DeliveryUncertain,
    MailAccountsError,
    NoSentFolder,
    OutgoingChanged,
    RecipientsRefused,
)
from mailaccounts.mail.compose import wire_address
from mailaccounts.mail.types import FolderRole
from mailaccounts.models import OutgoingState
from mailaccounts.queue import Job, enqueue
from mailaccounts.rules.sending import look_again
from mailaccounts.services.sending import may_send, outgoing
from mailaccounts.services.signing_in import login
from mailaccounts.services.syncing.due import sync_soon
from mailaccounts.services.syncing.outcome import active_credential_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.models import MailAccount, Outgoing, Recipient

logger = logging.getLogger(__name__)


def go_on_with(outgoing_id: int) -> None:
    """Sends a message that is queued, looks for one that may have been sent, or files one that was; nothing when
    another worker has it or nothing is left to do."""
    held = outgoing.claim(outgoing_id)
    if held is None:
        return
    with logs.about(held.account_id), tracing.span("mailaccounts.send", account=held.account_id, outgoing=held.pk):
        match held.state:
            case OutgoingState.QUEUED:
                _send(held)
            case OutgoingState.UNCERTAIN:
                _look_for(held)
            case OutgoingState.SENT:
                _file(held)


def files_sent(account: MailAccount) -> bool:
    """Whether the account's SMTP server files what it sends in Sent by itself."""
    preset = presets.for_mailbox(account.address, account.imap_host, extra=settings.extra_presets)
    return preset is not None and preset.files_sent


def _send(held: Outgoing) -> None:
    credential_id = active_credential_id(held.account)
    try:
        _transmit(held)
    except OutgoingChanged:
        return  # by its author, or by a worker that took this one for lost
    except DeliveryUncertain as error:
        outgoing.uncertain(held, error)
        tracing.fail(error.code)
        logger.warning("outgoing %d: %s", held.pk, error.code)
    except MailAccountsError as error:
        outgoing.not_handed_over(held, error, credential_id=credential_id)
        tracing.fail(error.code)
        logger.warning("outgoing %d: not sent: %s", held.pk, error.code)
    else:
        logger.info("outgoing %d: sent", held.pk)
        if files_sent(held.account):
            sync_soon(held.account)
        else:
            enqueue(Job.SEND, held.pk)  # to be filed


def _transmit(held: Outgoing) -> None:
    """Hands the message to the server, and notes that it has it before anything else is done."""
    may_send.insist(held)
    raw, by_server = bytes(held.raw or b""), files_sent(held.account)
    recipients = {each: wire_address(each.address) for each in held.recipients.all()}
    with login.open_smtp(held.account) as session:
        sender, addresses = wire_address(held.sender or held.account.address), list(dict.fromkeys(recipients.values()))
        refused = session.offer(sender, addresses, size=len(raw))
        remark = _remark(held, {each: address for each, address in recipients.items() if address in refused})
        outgoing.begin_handing_over(held)
        session.hand_over(raw)
        outgoing.handed_over(held, by_server=by_server, remark=remark)


def _remark(held: Outgoing, refused: Mapping[Recipient, str]) -> RecipientsRefused | None:
    """Notes whom the message isn't taken for."""
    held.recipients.update(refused=False)
    if not refused:
        return None
    held.recipients.filter(pk__in=[each.pk for each in refused]).update(refused=True)
    who = ", ".join(dict.fromkeys(refused.values()))
    return RecipientsRefused(count=len(refused), total=held.recipients.count(), who=who)


def _look_for(held: Outgoing) -> None:
    """A copy in Sent proves that the message was sent; that there is none proves nothing."""
    seconds = look_again(held.failures)
    try:
        if in_sent(held, file=False):
            outgoing.found_in_sent(held)
            sync_soon(held.account)
            logger.info("outgoing %d: found in Sent", held.pk)
            return
    except MailAccountsError as error:
        logger.info("outgoing %d: couldn't be looked for: %s", held.pk, error.code)
    outgoing.not_found(held, seconds)


def _file(held: Outgoing) -> None:
    credential_id = active_credential_id(held.account)
    try:
        in_sent(held, file=True)
    except MailAccountsError as error:
        outgoing.not_filed(held, error, credential_id=credential_id)
        tracing.fail(error.code)
        logger.warning("outgoing %d: not filed: %s", held.pk, error.code)
    else:
        outgoing.filed(held)
        sync_soon(held.account)  # else it is missing in its conversation until the account's turn: an hour, if watched


def in_sent(held: Outgoing, *, file: bool) -> bool:
    """Whether the message is in Sent; where it isn't, it is filed if that is wanted. NoSentFolder, and what signing in
    and filing raise."""
    with login.open_imap(held.account) as session:
        folder = next((each for each in session.folders() if each.role is FolderRole.SENT), None)
        if folder is None:
            raise NoSentFolder
        session.select(folder.name, readonly=True)
        if session.holds(held.message_id):
            return True
        if file:
            session.append(folder.name, bytes(held.raw or b""))
    return file

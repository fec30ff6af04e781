"""Contacts and stored mail for tests that need them to be there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from crm.models import Company, CompanyDomain, Contact
from mailaccounts.models import MailAccount, Message, MessageUid, Participant, Role, Thread
from mailaccounts.services.storing import summaries
from mailaccounts.signals import message_stored

if TYPE_CHECKING:
    from datetime import datetime


def make_contact(*emails: str, name: str = "Maria Anders", company: Company | None = None) -> Contact:
    """A contact with these addresses, the main one first, or with one of its own."""
    contact = Contact.objects.create(name=name, company=company)
    for each in emails or [f"{secrets.token_hex(4)}@customer.test"]:
        contact.addresses.create(address=each)
    return contact


def make_company(*domains: str, name: str = "Northwind") -> Company:
    company = Company.objects.create(name=name)
    CompanyDomain.objects.bulk_create(CompanyDomain(company=company, domain=each) for each in domains)
    return company


def store_message(
    account: MailAccount,
    *,
    sender: str,
    to: str,
    subject: str = "Hello",
    fingerprint: str = "",
    when: datetime | None = None,
    announce: bool = True,
    thread: Thread | None = None,
    **columns: Any,
) -> Message:
    """A message as the sync stores it, and, unless told otherwise, the signal that follows."""
    message = Message.objects.create(
        account=account,
        thread=thread or Thread.objects.create(account=account, subject=subject),
        fingerprint=fingerprint or secrets.token_hex(32),
        message_id=f"{secrets.token_hex(8)}@test",
        subject=subject,
        received_at=when or timezone.now(),
        **{"has_body": True, "body_text": "Good morning", **columns},
    )
    Participant.objects.create(message=message, role=Role.FROM, position=0, address=sender)
    Participant.objects.create(message=message, role=Role.TO, position=0, address=to)
    folder, _ = account.folders.get_or_create(name="INBOX", defaults={"role": "inbox", "uidvalidity": 1})
    MessageUid.objects.create(folder=folder, message=message, uidvalidity=1, uid=message.pk)
    summaries.refresh(account.pk, [message.thread_id])
    if announce:
        message_stored.send(sender=None, message_ids=[message.pk], account_id=account.pk)
    return message

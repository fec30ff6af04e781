"""Rows for tests that need them to be there and not how they come about."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from mailaccounts.crypto import Secret
from mailaccounts.models import (
    BreakGlass,
    Credential,
    CredentialState,
    Fault,
    Grant,
    MailAccount,
    Message,
    OAuthClient,
    Outgoing,
    Quarantined,
    Thread,
)


def make_user(username: str = "") -> Any:
    return get_user_model().objects.create_user(username or f"user-{secrets.token_hex(4)}")


def make_account(owner: Any = None, address: str = "", **columns: Any) -> MailAccount:
    return MailAccount.objects.create(
        owner=owner or make_user(),
        address=address or f"{secrets.token_hex(4)}@example.test",
        **{"imap_host": "imap.example.test", "smtp_host": "smtp.example.test", **columns},
    )


def make_credential(account: MailAccount | None = None, secret: str = "s3cret", **columns: Any) -> Credential:
    account = account or make_account()
    defaults: dict[str, Any] = {"backend": "password", "username": account.address, "state": CredentialState.ACTIVE}
    if "grant" not in columns:
        defaults["secret"] = Secret(secret)
    return Credential.objects.create(account=account, **{**defaults, **columns})


def make_client(**columns: Any) -> OAuthClient:
    return OAuthClient.objects.create(
        **{
            "provider": "microsoft",
            "name": "Microsoft",
            "authority": f"https://login.example.test/{secrets.token_hex(4)}",
            "client_id": "the-client",
            "client_secret": Secret("client-s3cret"),
            **columns,
        }
    )


def make_grant(client: OAuthClient | None = None, **columns: Any) -> Grant:
    return Grant.objects.create(
        **{
            "client": client or make_client(),
            "issuer": "https://login.example.test",
            "subject": secrets.token_hex(8),
            "state": Secret("st4te"),
            "access_token": Secret("t0ken"),
            "expires_at": timezone.now() + timedelta(hours=1),
            **columns,
        }
    )


def make_message(account: MailAccount, **columns: Any) -> Message:
    message_id = f"{secrets.token_hex(8)}@example.test"
    defaults = {
        "message_id": message_id,
        "fingerprint": secrets.token_hex(32),
        "thread": Thread.objects.create(account=account),
        "received_at": timezone.now(),
    }
    return Message.objects.create(account=account, **{**defaults, **columns})


def make_quarantined(account: MailAccount, **columns: Any) -> Quarantined:
    folder, _ = account.folders.get_or_create(name="INBOX", defaults={"role": "inbox", "uidvalidity": 1})
    defaults = {"uid": secrets.randbelow(2**31) + 1, "fault": Fault.UNREADABLE, "uidvalidity": folder.uidvalidity}
    return Quarantined.objects.create(folder=folder, **{**defaults, **columns})


def make_outgoing(account: MailAccount | None = None, **columns: Any) -> Outgoing:
    account = account or make_account()
    defaults = {"author": account.owner, "message_id": f"{secrets.token_hex(8)}@example.test"}
    return Outgoing.objects.create(account=account, **{**defaults, **columns})


def make_opening(account: MailAccount, **columns: Any) -> BreakGlass:
    """The account's mail is open to somebody, whether they may look or not."""
    defaults = {"reason": "To find out why", "until": timezone.now() + timedelta(hours=1)}
    return BreakGlass.objects.create(account=account, **{"viewer": make_user(), **defaults, **columns})

"""What is known of a provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailaccounts.mail.types import Endpoint


class UsernameForm(StrEnum):
    """What people sign in with."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEnd:
    """The day on which a kind of credential stops working; ``protocols`` are "imap", "smtp" or both."""

    credential: str
    on: date
    protocols: tuple[str, ...] = ("imap", "smtp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits:
    """What a provider allows one mailbox; None where it doesn't say."""

    connections: int | None = None  # IMAP, at the same time
    connections_in_all: int | None = None  # the same for all mailboxes together
    commands_per_ten_minutes: int | None = None
    download_bytes_per_day: int | None = None
    upload_bytes_per_day: int | None = None
    messages_per_command: int | None = None  # a FETCH of more is refused or cut off (RFC 9738)
    sent_per_minute: int | None = None
    recipients_per_day: int | None = None
    message_bytes: int | None = None  # one message that is sent, as it goes over the wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPreset:
    """A provider. ``domains`` are those it gives addresses in; a customer's own domain is told by ``mx``, the names
    that its mail exchangers have or end in.

    ``imap`` is None for software that everybody runs on hosts of their own. ``credentials`` are backend slugs, the
    best first, and ``ends`` the days on which one stops working. ``provider`` is the slug of the OAuth provider, ""
    when the mail server takes none of ours. ``imap_hosts`` are further names of the IMAP server. ``files_sent`` tells
    that the SMTP server files what it sends in the Sent folder. ``help_url`` leads to what a person has to do at the
    provider first, such as allowing IMAP, and ``app_password_url`` to where app passwords are made or explained.
    ``consents_url`` is where a person ends by hand what they allowed us at the OAuth provider.
    """

    slug: str
    label: str
    imap: Endpoint | None
    smtp: Endpoint | None = None
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    imap_hosts: tuple[str, ...] = ()
    username: UsernameForm = UsernameForm.ADDRESS
    credentials: tuple[str, ...] = ("password",)
    ends: tuple[CredentialEnd, ...] = ()
    provider: str = ""
    files_sent: bool = False
    limits: ProviderLimits = ProviderLimits()
    help_url: str = ""
    app_password_url: str = ""
    consents_url: str = ""

    def username_for(self, address: str) -> str:
        """The login name that belongs to ``address``."""
        return address.rpartition("@")[0] if self.username is UsernameForm.LOCAL_PART else address

    def end_of(self, credential: str) -> CredentialEnd | None:
        """The next day on which ``credential`` stops working for something, or the last that has passed."""
        days = sorted((end for end in self.ends if end.credential == credential), key=lambda end: end.on)
        return next((end for end in days if end.on >= date.today()), days[-1] if days else None)

    def exchanges_at(self, host: str) -> bool:
        """Tells whether ``host``, in lower case, is a mail exchanger of this provider."""
        return any(host == name or host.endswith("." + name) for name in self.mx)

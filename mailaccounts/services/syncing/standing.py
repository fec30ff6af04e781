"""What a sync has to know of its account before it begins, in one query: mostly, that there is nothing else to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef

from mailaccounts.models import Credential, CredentialState, DirectoryChange
from mailaccounts.services.moving import steps
from mailaccounts.services.people import directory
from mailaccounts.services.syncing import quarantine
from mailaccounts.services.telling.announce import unannounced

if TYPE_CHECKING:
    from uuid import UUID

    from mailaccounts.models import MailAccount

ACCOUNT = OuterRef("account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``credential`` is the one in use, None when there is none. Whether messages wait to be announced, a switch for
    its certificate, messages that made trouble for another attempt, and people who became known to be looked for:
    without a credential, that isn't known."""

    credential: Credential | None
    unannounced: bool = True
    certificate_due: bool = True
    quarantine_due: bool = True
    changes_due: bool = True

    @property
    def credential_id(self) -> UUID | None:
        return self.credential.pk if self.credential else None


def look_at(account: MailAccount) -> Standing:
    """How the account stands now. One query."""
    found = (
        Credential.objects.filter(account=account, state=CredentialState.ACTIVE)
        .annotate(
            unannounced=Exists(unannounced(ACCOUNT)),
            certificate_due=Exists(steps.certificate_due(ACCOUNT)),
            quarantine_due=Exists(quarantine.due(ACCOUNT)),
            changes_due=Exists(
                DirectoryChange.objects.filter(
                    directory.concerns(OuterRef("account__owner")), added=True, pk__gt=OuterRef("account__looked_for")
                )
            ),
        )
        .first()
    )
    if found is None:
        return Standing(credential=None)
    return Standing(
        credential=found,
        unannounced=found.unannounced,
        certificate_due=found.certificate_due,
        quarantine_due=found.quarantine_due,
        changes_due=found.changes_due,
    )

"""Whether an organisation's access is in force: asked each time that a token of it is wanted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from mailaccounts.errors import OrganisationOff
from mailaccounts.models import Credential, TenantAccess

if TYPE_CHECKING:
    from uuid import UUID

    from mailaccounts.models import OAuthClient

DOUBTS = timedelta(hours=1)  # between two checks because of an account that isn't let in: it may be that one alone


def insist_on(client: OAuthClient, tenant: str) -> None:
    """OrganisationOff unless both agree: our operator, on the registration, and the organisation's administrator."""
    in_force = client.app_only and TenantAccess.objects.filter(client=client, tenant=tenant, is_on=True).exists()
    if not in_force:
        raise OrganisationOff(organisation=tenant)


def doubt(credential_id: UUID | None) -> None:
    """An account wasn't let in with this credential. Where it is an organisation's, that may have withdrawn its leave:
    the access is due for a check."""
    if credential_id is None:
        return
    found = Credential.objects.select_related("grant").filter(pk=credential_id, grant__app_only=True).first()
    if found is None or found.grant is None:
        return
    access = TenantAccess.objects.filter(client=found.grant.client_id, tenant=found.grant.tenant, is_on=True)
    access.filter(canary_checked_at__lt=timezone.now() - DOUBTS).update(canary_checked_at=None)

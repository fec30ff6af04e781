"""What an account signed in with before is kept for rolling back, and then destroyed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.conf import settings
from mailaccounts.models import Credential, CredentialState, Grant, GrantStatus, MailAccount
from tests.app.builders import make_account, make_credential, make_grant

pytestmark = pytest.mark.django_db


def retired(*, days: float, **columns: object) -> Credential:
    account = make_account(clean_syncs=settings.retire_syncs)
    return make_credential(
        account, state=CredentialState.RETIRED, retired_at=timezone.now() - timedelta(days=days), **columns
    )


def test_a_retired_credential_is_kept_for_the_days_promised() -> None:
    kept = retired(days=settings.retire_days - 0.1)
    tasks.tick()
    assert Credential.objects.get() == kept


def test_it_is_kept_for_longer_while_the_new_one_has_not_proven_itself() -> None:
    kept = retired(days=30)
    MailAccount.objects.update(clean_syncs=settings.retire_syncs - 1)
    tasks.tick()
    assert Credential.objects.get() == kept


def test_after_that_it_is_destroyed() -> None:
    retired(days=settings.retire_days + 0.1)
    tasks.tick()
    assert not Credential.objects.exists()


def test_its_grant_goes_with_it_unless_another_account_uses_it() -> None:
    alone, shared = make_grant(), make_grant()
    user = make_credential(grant=shared, backend="xoauth2")
    retired(days=30, grant=alone, backend="xoauth2")
    retired(days=30, grant=shared, backend="xoauth2")
    tasks.tick()
    assert Credential.objects.get() == user
    assert Grant.objects.get(status=GrantStatus.ACTIVE) == shared


def test_the_credential_in_use_stays_however_old() -> None:
    account = make_account()
    active = make_credential(account)
    Credential.objects.filter(pk=active.pk).update(proven_at=timezone.now() - timedelta(days=900))
    tasks.tick()
    assert Credential.objects.get() == active

"""The identities somebody signs in with, and whose an identity is that nobody has linked yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth import get_user_model

from crm.sign_in.providers import offered
from mailaccounts.services.registering import clients

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allauth.socialaccount.models import SocialLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A linked identity as pages show it. ``usable``: one can sign in with it, since its provider is offered."""

    pk: int
    provider: str
    label: str
    address: str
    usable: bool


def identities_of(user: Any) -> list[Identity]:
    """The identities that ``user`` has linked, the oldest first."""
    rows = SocialAccount.objects.filter(user=user).order_by("date_joined", "pk")
    usable = offered()
    return [
        Identity(
            pk=row.pk,
            provider=row.provider,
            label=clients.label(row.provider),
            address=row.extra_data.get("address", ""),
            usable=row.provider in usable,
        )
        for row in rows
    ]


def owner_by_email(login: SocialLogin) -> Any:
    """The one user whose verified address the provider vouches for; None where the operator doesn't allow that.

    An address is verified by its owner's answer to a mail, or because an administrator wrote it into an account whose
    owner never touched it. What users say of themselves doesn't count: anybody could wait there for somebody else.
    """
    if login.account.provider not in settings.SIGN_IN_BY_EMAIL:
        return None
    vouched = [each.email for each in login.email_addresses if each.verified]
    owners = {user.pk: user for email in vouched for user in _owners(email)}
    return next(iter(owners.values())) if len(owners) == 1 else None


def link(login: SocialLogin, user: Any) -> None:
    """Makes the identity one of the user's, unless it is somebody's already."""
    SocialAccount.objects.get_or_create(
        provider=login.account.provider,
        uid=login.account.uid,
        defaults={"user": user, "extra_data": login.account.extra_data},
    )


def _owners(email: str) -> Iterable[Any]:
    verified = EmailAddress.objects.filter(email__iexact=email, verified=True).select_related("user")
    yield from (row.user for row in verified)
    yield from get_user_model().objects.filter(email__iexact=email, emailaddress__isnull=True)

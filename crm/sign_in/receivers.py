"""What follows when something about somebody's sign-in changes."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import user_logged_in
from allauth.mfa.models import Authenticator
from django.db.models.signals import post_delete
from django.dispatch import receiver

from crm.sign_in import identities, second_factor


@receiver(post_delete, sender=Authenticator, dispatch_uid="crm.sign_in.second_factor")
def forget_secrets(*, instance: Authenticator, **_: Any) -> None:
    """A second step that is gone takes its secrets along."""
    second_factor.forget(instance.data)


@receiver(user_logged_in, dispatch_uid="crm.sign_in.identities")
def link_identity(*, user: Any, sociallogin: Any = None, **_: Any) -> None:
    """Whoever came in by an address is known by the identity from now on: addresses change hands."""
    if sociallogin is not None:
        identities.link(sociallogin, user)

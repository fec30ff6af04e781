"""The second step of signing in: an authenticator app, passkeys, recovery codes; their secrets are sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator

from crm.sign_in.models import SecondFactorSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT_IN = ("secret", "seed")  # of ``Authenticator.data``: the authenticator app's, the recovery codes'


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the package has no types
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "That isn't right. Codes of an app change every half minute, and each code opens once.",
    }

    def encrypt(self, text: str) -> str:
        """Seals ``text``; the result stands for it in allauth's tables."""
        return str(SecondFactorSecret.objects.create(text=text).pk)

    def decrypt(self, encrypted_text: str) -> str:
        """Opens what ``encrypt`` sealed; VaultError without its key."""
        return str(SecondFactorSecret.objects.get(pk=encrypted_text).text.reveal_text())

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        """The name a new passkey has unless its owner finds a better one."""
        return f"Passkey {Authenticator.objects.filter(user=user, type=type).count() + 1}"


def forget(data: Mapping[str, Any]) -> None:
    """Destroys the secrets that a second step had, by the data of its row."""
    SecondFactorSecret.objects.filter(pk__in=[data[name] for name in KEPT_IN if name in data]).delete()

"""The people who can sign in: the sandbox's users file, read anew each time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.utils.crypto import constant_time_compare

from mailaccounts.testing.sandbox.idp.task import published
from mailaccounts.testing.sandbox.users import SandboxUser, UserFile

if TYPE_CHECKING:
    from django.http import HttpRequest


class SandboxBackend(ModelBackend):
    """Knows whoever is in the users file."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        person = find(username or "")
        if person is None or not constant_time_compare(person.password.encode(), (password or "").encode()):
            return None
        return user_of(person)


def find(address: str) -> SandboxUser | None:
    return UserFile(Path(published().users_file)).find(address)


def user_of(person: SandboxUser) -> User:
    """The row of somebody in the users file, made when first needed."""
    user, _ = User.objects.get_or_create(username=person.address.lower(), defaults={"email": person.address})
    return user

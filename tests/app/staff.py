"""Staff as an installation has them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission

from tests.app.builders import make_user


def make_staff(name: str, *permissions: str) -> Any:
    """Staff with these permissions of the app's, and no other."""
    user = make_user(name)
    user.is_staff = True
    user.save()
    for each in permissions:
        user.user_permissions.add(Permission.objects.get(content_type__app_label="mailaccounts", codename=each))
    return user

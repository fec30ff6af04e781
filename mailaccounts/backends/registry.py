"""Finds backends by slug among those the settings name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from mailaccounts.backends.base import CredentialBackend
from mailaccounts.conf import settings
from mailaccounts.errors import InvalidInput

if TYPE_CHECKING:
    from typing import Any


@lru_cache(maxsize=1)
def backends() -> dict[str, CredentialBackend]:
    """Every configured backend by slug, in the order of the settings. ImportError, TypeError or ValueError for a bad
    path, which the system checks report in words."""
    found: dict[str, CredentialBackend] = {}
    for path in settings.backends:
        backend = import_string(path)()
        if not isinstance(backend, CredentialBackend):
            raise TypeError(f"{path} is not a CredentialBackend")
        if backend.slug in found:
            raise ValueError(f"{path} has the slug {backend.slug!r}, which another backend has already")
        found[backend.slug] = backend
    return found


def backend(slug: str) -> CredentialBackend:
    """The backend named ``slug``; InvalidInput when none is configured under it."""
    try:
        return backends()[slug]
    except KeyError:
        raise InvalidInput(what=f"The sign-in method “{slug}”") from None


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "MAILACCOUNTS":
        backends.cache_clear()


setting_changed.connect(_forget, dispatch_uid="mailaccounts.backends.registry")

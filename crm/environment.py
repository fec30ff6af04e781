"""The environment as the settings read it: mistakes are named, and a secret may be any text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import environ
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from collections.abc import Sequence


# Seconds that a Redis may take: one that says nothing keeps no page waiting. Workers wait one second for a job.
REDIS_TIME_OUTS = "socket_connect_timeout=2&socket_timeout=3"


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # the package has no types
    """django-environ, with ``NAME_FILE`` for ``NAME`` in a file."""

    @classmethod
    def read_env(cls, *args: Any, **kwargs: Any) -> None:
        """Reads ``.env``; what the process has goes first, so that a ``NAME_FILE`` there is read as well."""
        try:
            super().read_env(*args, **kwargs)
        except OSError as error:
            raise ImproperlyConfigured(
                f"{error.filename}, named by a _FILE, can't be read: {error.strerror}"
            ) from None

    def text(self, name: str, default: str = "") -> str:
        """The value as it stands, without surrounding space. django-environ would take a leading ``$`` for the name
        of another variable, and one secret in fifty begins with it."""
        try:
            return str(self.ENVIRON.get(name, default)).strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names a file that can't be read: {error.strerror}") from None

    def words(self, name: str, default: str = "") -> list[str]:
        """The value as a comma-separated list."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def some_of(self, name: str, known: Sequence[str], *, default: str = "") -> list[str]:
        """The value as a comma-separated list of names that are all ``known``."""
        words = self.words(name, default)
        for word in words:
            if word not in known:
                raise ImproperlyConfigured(f"{name} names {word!r}, which is none of {', '.join(known)}")
        return words

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """One of the ``known`` names; the first unless told."""
        value = self.text(name, known[0])
        if value not in known:
            raise ImproperlyConfigured(f"{name} is none of {', '.join(known)}")
        return value

    def level(self, name: str, default: str) -> str:
        """The name of a level of logging."""
        value = self.text(name, default).upper()
        if value not in logging.getLevelNamesMapping():
            raise ImproperlyConfigured(f"{name} is none of DEBUG, INFO, WARNING, ERROR and CRITICAL")
        return value

    def redis(self, name: str) -> str:
        """The address of a Redis, or nothing. Of two time-outs that a URL names the client takes the first: the
        operator's own."""
        value = self.text(name)
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ImproperlyConfigured(f"{name} is not a Redis URL; docs/settings.md shows one")
        return f"{value}{'&' if '?' in value else '?'}{REDIS_TIME_OUTS}" if value else ""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except OSError as error:
            raise ImproperlyConfigured(f"{var}_FILE names a file that can't be read: {error.strerror}") from None
        except ValueError:
            raise ImproperlyConfigured(f"{var} can't be read; docs/settings.md says what it may be") from None

    def db_url(self, var: str = "DATABASE_URL", *args: Any, **kwargs: Any) -> dict[str, Any]:
        found = dict(super().db_url(var, *args, **kwargs))
        if "ENGINE" not in found:
            raise ImproperlyConfigured(f"{var} is not a database URL; docs/settings.md shows some")
        return found

    def email_url(self, var: str = "EMAIL_URL", *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return dict(super().email_url(var, *args, **kwargs))
        except ImproperlyConfigured:
            raise ImproperlyConfigured(f"{var} is not the URL of a mail server; docs/settings.md shows some") from None

    db = db_url

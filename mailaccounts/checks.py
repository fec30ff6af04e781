"""System checks: what is wrong with the settings, each with the fix in words. ``manage.py check`` prints them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router, transaction
from django.utils.module_loading import import_string

from mailaccounts.backends.base import CredentialBackend
from mailaccounts.conf import Settings, problems
from mailaccounts.hooks import Hooks
from mailaccounts.models import OAuthClient
from mailaccounts.services.registering.secret_expiry import expiring
from mailaccounts.services.running.keys import column_name, key_ids, sealed_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.core.checks import CheckMessage

TAG = "mailaccounts"
HTMX = "django_htmx.middleware.HtmxMiddleware"


def _error(code: str, what: str, fix: str) -> Error:
    return Error(what, hint=fix, id=f"mailaccounts.{code}")


def _raw() -> Any:
    return getattr(django_settings, "MAILACCOUNTS", {})


def _settings() -> Settings | None:
    """The settings, or None when their shape is wrong, which ``check_settings`` reports."""
    return None if any(problem.code == "E001" for problem in problems(_raw())) else Settings.load(_raw())


@register(TAG)
def check_settings(**_: Any) -> list[CheckMessage]:
    return [_error(problem.code, problem.what, problem.fix) for problem in problems(_raw())]


@register(TAG)
def check_backends(**_: Any) -> list[CheckMessage]:
    settings = _settings()
    return list(_backends(settings.backends)) if settings else []


def _backends(paths: tuple[str, ...]) -> Iterator[CheckMessage]:
    fix = 'Correct MAILACCOUNTS["BACKENDS"]; docs/adding-a-backend.md says what a backend is.'
    if not paths:
        yield _error("E005", "There is no credential backend: nobody could connect an account.", fix)
    slugs: dict[str, str] = {}
    for path in paths:
        found = _import(path)
        if isinstance(found, Error):
            yield found
        elif not (isinstance(found, type) and issubclass(found, CredentialBackend)):
            yield _error("E005", f"{path} is not a credential backend.", fix)
        elif not getattr(found, "slug", ""):
            yield _error("E005", f"{path} has no slug.", "Give it one; it is stored with every credential.")
        elif found.slug in slugs:
            yield _error("E005", f"{path} and {slugs[found.slug]} have the same slug, {found.slug!r}.", fix)
        else:
            slugs[found.slug] = path


@register(TAG)
def check_installed(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = [
        _error("E017", f"{app} isn't installed.", f'Add "{app}" to INSTALLED_APPS.')
        for app in ("django_htmx", "django_q")
        if not apps.is_installed(app)
    ]
    if HTMX not in django_settings.MIDDLEWARE:
        found.append(_error("E018", "The pages need django_htmx's middleware.", f'Add "{HTMX}" to MIDDLEWARE.'))
    return found


@register(TAG)
def check_hooks(**_: Any) -> list[CheckMessage]:
    settings = _settings()
    if not settings:
        return []
    found = _import(settings.hooks, code="E006", key="HOOKS")
    if isinstance(found, Error):
        return [found]
    if not (isinstance(found, type) and issubclass(found, Hooks)):
        return [_error("E006", f"{settings.hooks} is not a subclass of mailaccounts.hooks.Hooks.", "Make it one.")]
    if found is Hooks:
        what = "MAILACCOUNTS names no hooks of yours, so nobody is a contact and no mail is stored."
        return [Warning(what, hint='Set "HOOKS"; the README shows a class for it.', id="mailaccounts.W001")]
    return []


def _import(path: str, *, code: str = "E005", key: str = "BACKENDS") -> Any:
    """What ``path`` names, or the Error that says why it can't be had."""
    try:
        return import_string(path)
    except Exception as error:  # noqa: BLE001 - a module of somebody else may raise anything while it is imported
        return _error(
            code,
            f"{path} in MAILACCOUNTS[{key!r}] can't be imported: {type(error).__name__}.",
            f"Try it: python manage.py shell -c 'import {path.rpartition('.')[0]}'",
        )


@register(TAG)
def check_queue(**_: Any) -> list[CheckMessage]:
    settings = _settings() or Settings()
    cluster = getattr(django_settings, "Q_CLUSTER", None)
    if not isinstance(cluster, dict):
        return [
            _error("E012", "There is no Q_CLUSTER.", "docs/settings.md shows one; django-q2's defaults don't fit.")
        ]
    return list(_queue(cluster, longest=settings.lease_seconds))


def _queue(cluster: dict[str, Any], *, longest: int) -> Iterator[CheckMessage]:
    timeout, retry = cluster.get("timeout") or 0, cluster.get("retry", 60)
    if not longest < timeout < retry:
        yield _error(
            "E012",
            f"Q_CLUSTER: timeout ({timeout or 'none'}) must be longer than LEASE_SECONDS ({longest}) and retry "
            f"({retry}) longer than timeout, or a sync is killed half-way or started twice.",
            f'Set "timeout": {longest + 120}, "retry": {longest + 180} or longer.',
        )
    if cluster.get("max_attempts") != 1 or not cluster.get("ack_failures"):
        yield _error(
            "E013",
            "Q_CLUSTER: the broker would try failed tasks again by itself, which is for us to do with a pause.",
            'Set "max_attempts": 1 and "ack_failures": True.',
        )
    if cluster.get("redis") and not find_spec("redis"):
        yield _error(
            "E015", "The broker is Redis, but its client isn't installed.", "pip install 'django-mailaccounts[redis]'"
        )


@register(TAG)
def check_metrics(**_: Any) -> list[CheckMessage]:
    settings = _settings()
    if not settings or not settings.metrics_token or find_spec("prometheus_client"):
        return []
    what = "There is a token for metrics, but the package that writes them isn't installed: /metrics answers 404."
    return [Warning(what, hint="pip install 'django-mailaccounts[metrics]'", id="mailaccounts.W003")]


@register(TAG, Tags.database)
def check_stored_secrets(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Whether every stored secret has its key. Asks only the databases named: `check --database`, `migrate`."""
    settings = _settings()
    try:
        known = set(settings.box.key_ids) if settings else None
    except ImproperlyConfigured:  # which check_settings reports
        known = None
    if known is None:
        return []
    return [error for alias in databases or () for error in _missing_keys(alias, known=known)]


@register(TAG, Tags.database)
def check_client_secrets(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Whether the secret of an app registration ends soon. Asks only the databases named, as above."""
    return [warning for alias in databases or () for warning in _ending_secrets(alias)]


def _ending_secrets(alias: str) -> Iterator[CheckMessage]:
    if not router.allow_migrate_model(alias, OAuthClient):
        return
    try:
        with transaction.atomic(using=alias):
            found = expiring(using=alias)
    except DatabaseError:  # not migrated yet
        return
    for client, expiry in found:
        yield Warning(
            f"The secret of the app registration {client.name!r} {expiry}.",
            hint="Make a new one in the provider's console and enter it in the admin as the next secret.",
            id="mailaccounts.W002",
        )


def _missing_keys(alias: str, *, known: set[str]) -> Iterator[CheckMessage]:
    needed: dict[str, list[str]] = {}
    for column in sealed_columns():
        if not router.allow_migrate_model(alias, column.model):
            continue
        try:
            with transaction.atomic(using=alias):
                found = key_ids(column, using=alias)
        except DatabaseError:  # not migrated yet
            continue
        for key_id in found - known:
            needed.setdefault(key_id, []).append(column_name(column))
    for key_id, columns in sorted(needed.items()):
        yield _error(
            "E016",
            f"Key {key_id} is missing; secrets in {', '.join(columns)} are sealed with it.",
            "Add it to MAILACCOUNTS_SECRET_KEYS, behind the first. If it is lost, its accounts have to reconnect.",
        )

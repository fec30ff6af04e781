"""What an attacker, a colleague or an operator might get to see, gathered: to be searched for secrets."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import URLPattern, reverse
from django_q.models import OrmQ, Task

import mailaccounts.urls
from mailaccounts.errors import MailAccountsError
from mailaccounts.models import Grant, MailAccount
from mailaccounts.oauth.transport import Transport
from mailaccounts.services.signing_in.login import open_imap, open_smtp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model
    from django.test import Client

    from mailaccounts.oauth.transport import Answer


class Listener(logging.Handler):
    """Keeps every record of every logger as it was made, before any filter."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {self.format(record)} {record.args!r}")


class Haul:
    """Everything an attacker, a colleague or an operator might get to see, by where it was found."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def add(self, where: str, text: object) -> None:
        self.found[where] = f"{self.found.get(where, '')}\n{text}"

    def places_of(self, secrets: list[str]) -> list[str]:
        return [where for where, text in self.found.items() if any(secret in text for secret in secrets)]

    def kinds_of_places(self, text: str) -> set[str]:
        """The first words of the places that have ``text``: what is not secret is found everywhere."""
        return {where.split()[0] for where in self.places_of([text])}


@contextmanager
def everything_logged() -> Iterator[Listener]:
    """All loggers at DEBUG, heard at the root."""
    listener, root = Listener(), logging.getLogger()
    loggers = [root, *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    before = [(each, each.level, each.propagate, each.disabled) for each in loggers]
    for each in loggers:
        each.setLevel(logging.DEBUG)
        each.propagate, each.disabled = True, False
    root.addHandler(listener)
    yield listener
    root.removeHandler(listener)
    for each, level, propagate, disabled in before:
        each.setLevel(level)
        each.propagate, each.disabled = propagate, disabled


@contextmanager
def everything_issued() -> Iterator[list[str]]:
    """Every token that a provider of the sandbox hands to this process."""
    issued: list[str] = []
    real = Transport._request

    def heard(self: Transport, *args: Any, **options: Any) -> Answer:
        answer = real(self, *args, **options)
        content = answer.json() if answer.text else None
        if isinstance(content, dict):
            issued.extend(content[name] for name in ("access_token", "refresh_token", "id_token") if name in content)
        return answer

    with mock.patch.object(Transport, "_request", heard):
        yield issued


def spellings(*secrets: str) -> list[str]:
    """Each secret plainly and as base64, at every offset a longer text could put it."""
    found = list(secrets)
    for secret in secrets:
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
            found.append(encoded[4 if offset else 0 : len(encoded) - 4])
    return found


def tokens_of(account: MailAccount) -> list[str]:
    """The access token and the refresh token of the account's grant."""
    grant = Grant.objects.get(credentials__account=account, credentials__state="active")
    state = grant.state.reveal_text()
    try:
        loaded = json.loads(state)
    except ValueError:
        loaded = state
    longest = max(strings(loaded), key=len)  # next to it the state holds only names of scopes
    assert "://" not in longest
    return [grant.access_token.reveal_text(), longest]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "://" not in value:
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def collect_tables(haul: Haul) -> None:
    """Every column of every table as it stands, and what Django and django-q2 pack into some of them."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - the names are its own
            haul.add(f"table {table}", cursor.fetchall())
    for row in OrmQ.objects.all():
        haul.add("queued task", row.task)
    for done in Task.objects.values():
        haul.add("task row", done)
    for session in Session.objects.all():
        haul.add("session", session.get_decoded())


def collect_pages(haul: Haul, client: Client, account: MailAccount) -> None:
    """Every page of the app that shows something, and the CRM's."""
    addresses = ["/contacts/", "/inbox/", "/settings/security/"]
    for pattern in (*mailaccounts.urls.pages, *mailaccounts.urls.of_administrators, *mailaccounts.urls.mail):
        if isinstance(pattern, URLPattern) and "<" not in str(pattern.pattern):
            addresses.append(reverse(f"mailaccounts:{pattern.name}"))
    for pattern in mailaccounts.urls.pages:
        text = str(pattern.pattern)
        if isinstance(pattern, URLPattern) and "<int:pk>" in text and text.count("<") == 1:
            addresses.append(reverse(f"mailaccounts:{pattern.name}", args=[account.pk]))
    for address in addresses:
        response = client.get(address, follow=True)
        haul.add(f"page {address}", f"{response.headers} {response.content.decode()}")


def collect_admin(haul: Haul, admin_client: Client) -> None:
    """Lists, forms, histories and deletions of everything the admin knows."""
    haul.add("admin index", admin_client.get("/admin/").content.decode())
    for model in admin.site._registry:
        pages = [("changelist", [])]
        for row in model._default_manager.all():
            pages += [(name, [row.pk]) for name in ("change", "history", "delete")]
        for name, arguments in pages:
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=arguments)
            haul.add(f"admin {address}", admin_client.get(address, follow=True).content.decode())


def collect_failures(haul: Haul, account: MailAccount) -> None:
    """What a sign-in that fails raises, with all causes and the local variables of each frame."""
    account = MailAccount.objects.get(pk=account.pk)
    for open_session in (open_imap, open_smtp):
        with pytest.raises(MailAccountsError) as caught:
            open_session(account)
        error: BaseException | None = caught.value
        while error is not None:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            haul.add(f"traceback of {open_session.__name__}", "".join(told.format()))
            haul.add(f"exception of {open_session.__name__}", f"{error!r} {error} {error.__dict__}")
            error = error.__cause__ or error.__context__


def collect_models(haul: Haul) -> None:
    """Every row as it prints itself."""
    for model in apps.get_models():
        rows: list[Model] = list(model._default_manager.all())
        haul.add(f"print of {model.__name__}", [(row, str(row), vars(row)) for row in rows])


def collect_everything(haul: Haul, *, client: Client, admin_client: Client, account: MailAccount) -> None:
    collect_tables(haul)
    collect_pages(haul, client, account)
    collect_admin(haul, admin_client)
    collect_models(haul)

"""Receipts are signed: whoever holds the public key can check one without us, and a change made later shows."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.management import call_command
from django.urls import reverse

from mailaccounts.crypto import Key, PublicKey
from mailaccounts.models import AuditEntry
from mailaccounts.selectors import receipts
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.trail.audit import follow_up
from tests.app.builders import make_credential
from tests.rewriting import rewriting

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> AuditEntry:
    """A receipt with something that came of it later."""
    account = make_credential().account
    found = cut(account.pk, actor=account.owner, reason=Reason.ASKED)
    assert found is not None
    follow_up(found, erased=True)
    return found


def published() -> dict[str, str]:
    """The public keys by their ids, as they are handed out."""
    out = io.StringIO()
    call_command("receipt_keys", json=True, stdout=out)
    return {each["key"]: each["pem"] for each in map(json.loads, out.getvalue().splitlines())}


def test_the_command_says_in_words_which_key_signs() -> None:
    out = io.StringIO()
    call_command("receipt_keys", stdout=out)
    heads, first, *_ = out.getvalue().splitlines()
    assert heads.split() == ["KEY", "SIGNS", "PUBLIC", "KEY"]
    assert first.split()[1] == "yes"


def download(client: Client, entry: AuditEntry) -> Any:
    client.force_login(entry.owner)
    return json.loads(client.get(reverse("mailaccounts:receipt_json", args=[entry.pk])).content)


def page(client: Client, entry: AuditEntry) -> str:
    client.force_login(entry.owner)
    return client.get(reverse("mailaccounts:receipt", args=[entry.pk])).content.decode()


def test_whoever_holds_the_public_key_can_check_a_receipt_without_us(client: Client, entry: AuditEntry) -> None:
    keys = published()
    parts = download(client, entry)["signed"]
    assert len(parts) == 2, "what was done, and what came of it"
    for part in parts:
        key = load_pem_public_key(keys[part["key"]].encode())
        assert isinstance(key, Ed25519PublicKey)
        signature = base64.b64decode(part["signature"])
        key.verify(signature, part["text"].encode())
        with pytest.raises(InvalidSignature):
            key.verify(signature, part["text"].replace("true", "false").replace("kept", "erased").encode())
    told = json.loads(parts[0]["text"])
    assert (told["id"], told["address"]) == (str(entry.pk), entry.address)
    assert (told["facts"]["by"], told["facts"]["destroyed"], told["facts"]["mail"]) == (
        entry.owner.username,
        1,
        "kept",
    )


def test_a_receipt_says_whether_it_is_as_it_was_written(client: Client, entry: AuditEntry) -> None:
    assert 'data-signature="valid"' in page(client, entry)
    with rewriting():
        AuditEntry.objects.filter(pk=entry.pk).update(facts={**entry.facts, "destroyed": 7})
    assert 'data-signature="invalid"' in page(client, entry)
    with rewriting():
        AuditEntry.objects.filter(pk=entry.pk).update(facts=entry.facts, signature="v1.nonsense")
    assert 'data-signature="invalid"' in page(client, entry)


def test_a_receipt_outlives_the_users_it_names(entry: AuditEntry) -> None:
    statement = entry.statement
    entry.owner.delete()
    assert receipts().get(pk=entry.pk).statement == statement


def test_after_the_keys_are_changed_older_receipts_can_still_be_checked(
    client: Client, entry: AuditEntry, settings: Any
) -> None:
    old = settings.MAILACCOUNTS["SECRET_KEYS"]
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate(), *old]}
    assert 'data-signature="valid"' in page(client, entry)
    assert len(published()) == len(old) + 1
    signed_with = PublicKey.parse(entry.signature.split(".")[1])
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": [Key.generate()]}
    assert 'data-signature="anothers"' in page(client, entry)
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "RECEIPT_KEYS": [str(signed_with)]}
    assert 'data-signature="valid"' in page(client, entry)
    assert signed_with.key_id in published()


def test_an_installation_without_a_usable_key_disconnects_all_the_same(settings: Any) -> None:
    account = make_credential().account
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SECRET_KEYS": ["broken"]}
    found = cut(account.pk, reason=Reason.DEACTIVATED)
    assert found is not None and found.signature == ""

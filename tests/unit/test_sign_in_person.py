"""Who somebody is by the claims of an ID token: known by ids, and proven to own an address only by those who can."""

from __future__ import annotations

from typing import Any

import pytest

from mailaccounts.oauth.sign_in import person


def claims(**changes: Any) -> dict[str, Any]:
    return {
        "iss": "https://login.example.test/t/v2.0", "sub": "s", "email": "Anna@Example.test", "name": "Anna", **changes
    }  # fmt: skip


def test_the_same_subject_at_another_issuer_is_somebody_else() -> None:
    here = person(claims(), provider="oidc")
    assert here.key == person(claims(email="other@example.test", name="A."), provider="oidc").key
    assert here.key != person(claims(iss="https://other.example.test"), provider="oidc").key


def test_at_microsoft_the_object_id_pins_a_person_whatever_our_client_is() -> None:
    """``sub`` differs from client to client there, and only there means ``oid`` anything."""
    one, other = (person(claims(oid="o", sub=sub), provider="microsoft") for sub in ("s1", "s2"))
    assert one.key == other.key
    assert person(claims(oid="o"), provider="oidc").key == person(claims(oid="p"), provider="oidc").key


@pytest.mark.parametrize(
    ("provider", "changes", "proven"),
    [
        ("oidc", {"email_verified": True}, True),
        ("oidc", {"email_verified": "true"}, True),
        ("oidc", {"email_verified": "false"}, False),
        ("oidc", {}, False),
        ("oidc", {"email": "", "email_verified": True}, False),
        ("oidc", {"email": None, "email_verified": True}, False),
        ("google", {"email_verified": True}, False),
        ("google", {"email_verified": True, "hd": "example.test"}, True),
        ("google", {"email_verified": True, "email": "anna@gmail.com"}, True),
        ("google", {"email_verified": False, "email": "anna@gmail.com"}, False),
        ("microsoft", {"email_verified": True}, False),
        ("microsoft", {"xms_edov": True}, True),
        ("microsoft", {"xms_edov": "1"}, True),
        ("microsoft", {"xms_edov": False}, False),
    ],
)
def test_who_has_proven_an_address(provider: str, changes: dict[str, Any], proven: bool) -> None:
    assert person(claims(**changes), provider=provider).proven is proven


def test_what_people_call_themselves_may_be_anything_and_is_kept_only_as_text() -> None:
    odd = person(claims(email=["a"], name="x" * 400, preferred_username="a\nb"), provider="oidc")
    assert (odd.email, odd.name, odd.address) == ("", "", "")

"""SASL conversations, octet by octet."""

from __future__ import annotations

import pytest

from mailaccounts.errors import UnsafeArgument
from mailaccounts.mail.sasl import Login, OAuthBearer, Plain, XOAuth2


def test_plain_sends_both_in_one_response_in_utf_8() -> None:
    assert Plain("jö@example.com", "pä ss".encode()).respond(b"") == "\0jö@example.com\0pä ss".encode()


def test_login_sends_the_name_then_the_password_then_nothing() -> None:
    mechanism = Login("jo@example.com", b"secret")
    assert [mechanism.respond(challenge) for challenge in (b"User Name\0", b"Password\0", b"More?")] == [
        b"jo@example.com",
        b"secret",
        b"",
    ]


def test_xoauth2_follows_the_vendors_documents_and_keeps_the_refusal() -> None:
    mechanism = XOAuth2("jo@example.com", "token")
    assert mechanism.respond(b"") == b"user=jo@example.com\x01auth=Bearer token\x01\x01"
    refusal = b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
    assert mechanism.respond(refusal) == b""
    assert mechanism.challenge == refusal


def test_oauthbearer_follows_rfc_7628_and_keeps_the_refusal() -> None:
    mechanism = OAuthBearer("jo@example.com", "token")
    assert mechanism.respond(b"") == b"n,a=jo@example.com,\x01auth=Bearer token\x01\x01"
    refusal = b'{"status":"invalid_token","scope":"mail"}'
    assert mechanism.respond(refusal) == b"\x01"
    assert mechanism.challenge == refusal


def test_the_user_name_of_oauthbearer_is_escaped_as_a_saslname() -> None:
    assert OAuthBearer("a=b,c@example.com", "token").respond(b"").startswith(b"n,a=a=3Db=2Cc@example.com,\x01")


@pytest.mark.parametrize("mechanism", [XOAuth2, OAuthBearer])
@pytest.mark.parametrize("username", ["a\0b", "a\1auth=Bearer x", "a\rb", "a\nb"])
def test_a_user_name_can_not_smuggle_fields_into_a_token_login(
    mechanism: type[XOAuth2 | OAuthBearer], username: str
) -> None:
    with pytest.raises(UnsafeArgument):
        mechanism(username, "token")


@pytest.mark.parametrize("mechanism", [Plain, Login])
@pytest.mark.parametrize(("username", "password"), [("a\0b", b"x"), ("a", b"x\0y")])
def test_nul_separates_and_so_can_not_be_sent(mechanism: type[Plain | Login], username: str, password: bytes) -> None:
    with pytest.raises(UnsafeArgument):
        mechanism(username, password)


@pytest.mark.parametrize(
    "mechanism",
    [Plain("jo", b"s3cret"), Login("jo", b"s3cret"), XOAuth2("jo", "s3cret"), OAuthBearer("jo", "s3cret")],
    ids=["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"],
)
def test_no_mechanism_prints_what_it_holds(mechanism: object) -> None:
    assert "s3cret" not in repr(mechanism)
    assert "s3cret" not in str(mechanism)

"""What every credential backend and every identity provider must do, as tests to inherit (pytest).

    class TestMyBackend(BackendContract):
        backend = MyBackend
        mechanisms = ("CRAM-MD5",)

docs/adding-a-backend.md walks through it.
"""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from mailaccounts.backends.base import ConsentBackend, CredentialBackend, FormBackend
from mailaccounts.crypto import Secret
from mailaccounts.errors import (
    CapabilityMissing,
    ConsentDeclined,
    ConsentExpired,
    GrantRevoked,
    MailAccountsError,
    ProviderUnavailable,
)
from mailaccounts.oauth.types import AccessToken, ConsentRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailaccounts.mail.sasl import Authenticator
    from mailaccounts.oauth.provider import TokenProvider
    from mailaccounts.oauth.types import Authorization, Issued

SECRET = "contract-s3cret-7f1d"
TOKEN = "contract-t0ken-93ab"


class RecordingTokens:
    """A token source that notes how it was asked, and fails when told to."""

    def __init__(self, error: MailAccountsError | None = None) -> None:
        self.asked: list[bool] = []
        self._error = error

    def access_token(self, *, fresh: bool = False) -> AccessToken:
        self.asked.append(fresh)
        if self._error:
            raise self._error
        return AccessToken(value=TOKEN, expires_at=datetime.now(UTC) + timedelta(hours=1))


class BackendContract:
    """Set ``backend`` and ``mechanisms``, the SASL names it can log in with; for a FormBackend also ``filled_in``,
    what a user types into its form (``SECRET`` where the secret goes)."""

    backend: ClassVar[type[CredentialBackend]]
    mechanisms: ClassVar[tuple[str, ...]]
    filled_in: ClassVar[Mapping[str, Any]] = {}
    username: ClassVar[str] = "anna@example.test"

    def authenticator(self, tokens: RecordingTokens | None = None, username: str = "") -> Authenticator:
        return self.backend().authenticator(username or self.username, Secret(SECRET), tokens or RecordingTokens())

    def test_it_has_a_slug_for_the_database_and_a_label_for_people(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.backend.slug)
        assert str(self.backend.label).strip()

    def test_it_is_typed_in_or_consented_to(self) -> None:
        assert issubclass(self.backend, FormBackend | ConsentBackend)

    def test_it_logs_in_by_a_mechanism_the_server_offers(self) -> None:
        for name in self.mechanisms:
            assert self.authenticator().mechanism(frozenset({name, "X-OTHER"})).name == name

    def test_it_says_so_when_the_server_offers_none_it_can_use(self) -> None:
        for offered in (frozenset[str](), frozenset({"X-OTHER"})):
            with pytest.raises(CapabilityMissing):
                self.authenticator().mechanism(offered)

    def test_each_login_is_a_new_conversation(self) -> None:
        authenticator, offered = self.authenticator(), frozenset(self.mechanisms)
        first, second = authenticator.mechanism(offered), authenticator.mechanism(offered)
        assert first is not second
        assert first.respond(b"") == second.respond(b"")

    def test_one_instance_serves_every_account(self) -> None:
        backend, offered = self.backend(), frozenset(self.mechanisms)
        names = [f"{name}@example.test" for name in ("anna", "bert")]
        both = [backend.authenticator(name, Secret(SECRET), RecordingTokens()) for name in names]
        assert both[0] is not both[1]
        assert [each.mechanism(offered).name for each in both] == [self.authenticator().mechanism(offered).name] * 2

    def test_no_token_is_asked_for_before_it_is_needed(self) -> None:
        tokens = RecordingTokens()
        authenticator = self.authenticator(tokens)
        with pytest.raises(CapabilityMissing):
            authenticator.mechanism(frozenset({"X-OTHER"}))
        assert tokens.asked == []

    def test_a_fresh_token_is_asked_for_when_the_last_one_was_refused(self) -> None:
        tokens = RecordingTokens()
        authenticator = self.authenticator(tokens)
        for fresh in (False, True):
            authenticator.mechanism(frozenset(self.mechanisms), fresh=fresh)
        assert tokens.asked == ([False, True] if issubclass(self.backend, ConsentBackend) else [])

    def test_what_obtaining_a_token_raises_comes_through(self) -> None:
        if issubclass(self.backend, ConsentBackend):
            with pytest.raises(ProviderUnavailable):
                self.authenticator(RecordingTokens(ProviderUnavailable(provider="Contract"))).mechanism(
                    frozenset(self.mechanisms)
                )

    def test_control_characters_in_the_user_name_are_refused(self) -> None:
        """NUL and ^A are what PLAIN and XOAUTH2 separate their fields with; a mechanism refuses its own."""
        for name in self.mechanisms:
            with pytest.raises(MailAccountsError) as caught:
                self.authenticator(username="an\0na").mechanism(frozenset({name}))
            assert_tells_nothing(caught.value)

    def test_it_accepts_what_the_user_typed_as_a_secret(self) -> None:
        if issubclass(self.backend, FormBackend):
            form = self.backend.form_class(data=dict(self.filled_in))
            assert form.is_valid(), form.errors
            accepted = self.backend().accept(form.cleaned_data)
            assert isinstance(accepted, Secret)
            assert accepted
            assert SECRET not in str(self.backend.form_class(data=dict(self.filled_in)))

    def test_an_empty_form_is_not_accepted(self) -> None:
        if issubclass(self.backend, FormBackend):
            assert not self.backend.form_class(data={}).is_valid()

    def test_nothing_it_makes_prints_or_pickles_the_secret(self) -> None:
        authenticator = self.authenticator()
        mechanism = authenticator.mechanism(frozenset(self.mechanisms))
        for thing in (self.backend(), authenticator, mechanism):
            assert_tells_nothing(thing)


class ProviderContract:
    """Give ``provider`` and let ``answer`` be the person: it opens the URL, signs in, allows or declines, and returns
    the parameters of the callback."""

    redirect_uri: ClassVar[str] = "https://crm.example.test/oauth/contract/callback/"

    @pytest.fixture
    def provider(self) -> Iterator[TokenProvider]:
        raise NotImplementedError

    @pytest.fixture
    def answer(self) -> Callable[..., dict[str, str]]:
        """``answer(url, *, allow=True)``."""
        raise NotImplementedError

    def begin(self, provider: TokenProvider, **changes: Any) -> Authorization:
        request = {
            "redirect_uri": self.redirect_uri,
            "scopes": tuple(scope.name for scope in provider.scopes),
            "login_hint": "anna@example.test",
        }
        return provider.begin(ConsentRequest(**{**request, **changes}))

    def issue(self, provider: TokenProvider, answer: Callable[..., dict[str, str]]) -> Issued:
        authorization = self.begin(provider)
        return provider.complete(authorization.flow, answer(authorization.url))

    def test_every_scope_has_a_reason_a_person_can_read(self, provider: TokenProvider) -> None:
        assert provider.scopes
        assert all(scope.name and len(scope.reason.split()) > 3 for scope in provider.scopes)

    def test_a_consent_is_protected_by_state_nonce_and_pkce(self, provider: TokenProvider) -> None:
        authorization = self.begin(provider)
        url = urlsplit(authorization.url)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert url.scheme == "https"
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["state"] == authorization.state
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20
        assert {scope.name for scope in provider.scopes} <= set(asked["scope"].split())

    def test_the_verifier_stays_with_us(self, provider: TokenProvider) -> None:
        authorization = self.begin(provider)
        assert str(authorization.flow["code_verifier"]) not in authorization.url
        assert_prints_nothing(authorization, str(authorization.flow["code_verifier"]))

    def test_no_two_consents_share_a_secret(self, provider: TokenProvider) -> None:
        first, second = self.begin(provider), self.begin(provider)
        assert first.state != second.state
        assert first.flow["code_verifier"] != second.flow["code_verifier"]

    def test_a_consent_yields_a_grant_and_who_gave_it(
        self, provider: TokenProvider, answer: Callable[..., dict[str, str]]
    ) -> None:
        issued = self.issue(provider, answer)
        assert issued.identity
        assert issued.identity.issuer
        assert issued.identity.subject
        assert issued.token.expires_at > datetime.now(UTC)
        for secret in (issued.token.value, issued.state.decode()):
            assert_prints_nothing(issued, secret)

    @pytest.mark.parametrize("state", ["", "another-state-another-state"])
    def test_a_wrong_state_is_refused(
        self, provider: TokenProvider, answer: Callable[..., dict[str, str]], state: str
    ) -> None:
        authorization = self.begin(provider)
        params = answer(authorization.url)
        with pytest.raises(ConsentExpired):
            provider.complete(authorization.flow, {**params, "state": state})

    def test_a_code_works_once(self, provider: TokenProvider, answer: Callable[..., dict[str, str]]) -> None:
        authorization = self.begin(provider)
        params = answer(authorization.url)
        provider.complete(authorization.flow, params)
        with pytest.raises(ConsentExpired):
            provider.complete(authorization.flow, params)

    def test_declining_is_understood(self, provider: TokenProvider, answer: Callable[..., dict[str, str]]) -> None:
        authorization = self.begin(provider)
        with pytest.raises(ConsentDeclined):
            provider.complete(authorization.flow, answer(authorization.url, allow=False))

    def test_a_refresh_yields_a_new_token_again_and_again(
        self, provider: TokenProvider, answer: Callable[..., dict[str, str]]
    ) -> None:
        issued = self.issue(provider, answer)
        tokens = {issued.token.value}
        for _ in range(2):
            issued = provider.refresh(issued.state)
            tokens.add(issued.token.value)
        assert len(tokens) == 3

    def test_a_revoked_grant_is_told_from_everything_else(
        self, provider: TokenProvider, answer: Callable[..., dict[str, str]]
    ) -> None:
        issued = self.issue(provider, answer)
        provider.revoke(issued.state)
        with pytest.raises(GrantRevoked):
            provider.refresh(issued.state)


def assert_tells_nothing(thing: object) -> None:
    """Neither printing, formatting nor pickling ``thing`` gives the contract's secrets away."""
    texts = _prints(thing)
    for copier in (pickle.dumps, copy.deepcopy):
        try:
            copied = copier(thing)
        except (TypeError, AttributeError, pickle.PicklingError):
            continue  # can't be copied: nothing leaves
        texts.append(copied.decode("latin-1") if isinstance(copied, bytes) else repr(copied))
    assert not any(secret in text for secret in (SECRET, TOKEN) for text in texts)


def assert_prints_nothing(thing: object, *secrets: str) -> None:
    """Neither printing nor formatting ``thing`` gives a secret away."""
    assert not any(secret in text for secret in secrets for text in _prints(thing))


def _prints(thing: object) -> list[str]:
    traces = traceback.format_exception(thing) if isinstance(thing, BaseException) else []
    return [repr(thing), str(thing), f"{thing}", repr([thing]), *traces]

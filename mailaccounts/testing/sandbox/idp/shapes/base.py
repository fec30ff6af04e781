"""What differs between providers: names, permissions, claims, and the words errors come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mailaccounts.testing.sandbox.idp.task import published

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.testing.sandbox.idp.task import Client

OPENID = {
    "openid": "Sign you in",
    "profile": "See your name",
    "email": "See your email address",
}
OFFLINE = "offline_access"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error answer before a provider has put it into its words; ``code`` is Entra's number, where it matters."""

    error: str
    code: int = 0
    suberror: str = ""
    description: str = ""
    status: int = 400


class Shape(ABC):
    """How one kind of provider behaves. Stateless."""

    slug: ClassVar[str]
    scopes: ClassVar[Mapping[str, str]]
    mail_scopes: ClassVar[Mapping[str, tuple[str, ...]]]  # per protocol those that open it
    grant_types: ClassVar[frozenset[str]] = frozenset({"authorization_code", "refresh_token"})
    rotates = True  # a new refresh token with each refresh
    lets_untick = False  # people may leave out single scopes on the consent page
    names_issuer = False  # "iss" in the authorization response (RFC 9207)

    @property
    def client(self) -> Client:
        return published().clients[self.slug]

    @property
    def issuer(self) -> str:
        return f"{published().base_url}/{self.slug}"

    @abstractmethod
    def discovery(self, **where: str) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0; ``where`` is what the URL says (Entra's tenant)."""

    @abstractmethod
    def claims(self, address: str, *, client_id: str) -> dict[str, Any]:
        """Who somebody is, for ID tokens and userinfo."""

    def refusal(self, form: Mapping[str, str], **where: str) -> Problem | None:
        """Why a token request isn't even looked at."""
        return None

    def problem(self, problem: Problem, form: Mapping[str, str], *, known: bool) -> Problem:
        """What this provider makes of a refused token request; ``known``: it has heard of the client."""
        return problem

    def error(self, problem: Problem) -> dict[str, Any]:
        """The JSON of an error answer (RFC 6749 §5.2)."""
        return {"error": problem.error, "error_description": problem.description or "Refused."}

    def error_words(self, unknown: str) -> str:
        """What the error page adds about the "client_id" or "redirect_uri" that isn't known."""
        return ""

    def error_address(self, unknown: str) -> str:
        """Another page that people are led to instead."""
        return ""

    def declined(self) -> dict[str, str]:
        """What the client is told of somebody who said no."""
        return {"error": "access_denied", "error_description": "The user declined."}

    def granted(self, scopes: list[str], query: Mapping[str, str], *, again: bool) -> list[str]:
        """The scopes of a consent; ``again``: the same person has consented to this client before."""
        return scopes

    def token_answer(self, body: dict[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
        """A token answer as this provider gives it: a refresh token only with offline_access."""
        answer = dict(body)
        if OFFLINE not in body["scope"].split():
            answer.pop("refresh_token", None)
        return answer

    def opens(self, protocol: str, scopes: list[str]) -> bool:
        """Whether a token with these scopes may be used for "imap" or "smtp"."""
        return bool(set(scopes) & set(self.mail_scopes[protocol]))

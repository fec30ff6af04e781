"""For hosts whose users sign in at the identity providers that the settings name: who somebody is, and no more.

Trust, limits, registrations and the judgement of ID tokens are those that mailboxes are connected with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mailaccounts.errors import ClientMisconfigured
from mailaccounts.oauth.sign_in import AGAIN, Person, SignInRequest, SignsPeopleIn
from mailaccounts.services.registering import clients, registrations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailaccounts.oauth.provider import TokenProvider
    from mailaccounts.oauth.types import Authorization, Flow

__all__ = ["AGAIN", "Person", "SignInRequest", "begin", "complete"]


def begin(provider: str, request: SignInRequest) -> Authorization:
    """Where to send the browser, and what to keep for ``complete``; never stored in clear but in the session.

    ClientMissing for a provider without a registration; ProviderUnavailable, and ClientMisconfigured with an alarm.
    """
    client = clients.registered(provider)
    try:
        return _signs_in(clients.provider_for(client)).ask_who(request)
    except ClientMisconfigured as error:
        registrations.raise_alarm(client, error)
        raise


def complete(provider: str, flow: Flow, params: Mapping[str, str]) -> Person:
    """Who came back. Whoever calls sees to it that a flow is used once, by the browser that began it."""
    return registrations.ask(clients.registered(provider), lambda speaker: _signs_in(speaker).identify(flow, params))


def _signs_in(speaker: TokenProvider) -> SignsPeopleIn:
    return cast("SignsPeopleIn", speaker)  # every provider of ours does both

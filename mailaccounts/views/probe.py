"""Tests an account's connection step by step, when its owner asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from mailaccounts.errors import TooManyAttempts
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.signing_in.probe import probe_account
from mailaccounts.services.signing_in.probe_words import NAMES, SERVERS, words
from mailaccounts.views import describe
from mailaccounts.views.access import managed_account, private

if TYPE_CHECKING:
    from django.http import HttpResponse

    from mailaccounts.mail.watched import Step
    from mailaccounts.views.access import Request

FINDINGS = {
    "addresses": "Addresses",
    "address": "Address",
    "version": "Version",
    "subject": "Certificate for",
    "issuer": "Issued by",
    "expires": "Valid until",
    "messages": "Messages",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStep:
    """A step as the page shows it. ``result`` is "ok", "failed" or "skipped"; ``told`` are its findings, in pairs."""

    server: str
    name: str
    milliseconds: int
    result: str
    told: list[tuple[str, str]]
    capabilities: list[str]
    problem: describe.Problem | None

    @classmethod
    def of(cls, step: Step) -> ShownStep:
        return cls(
            server=SERVERS[step.server],
            name=NAMES[step.name],
            milliseconds=step.milliseconds,
            result=step.status,
            told=[(FINDINGS[key], words(value)) for key, value in step.details.items() if key in FINDINGS],
            capabilities=step.details.get("capabilities", []),
            problem=describe.Problem.of(step.error) if step.error else None,
        )


@private
@require_http_methods(["GET", "POST"])
def probe(request: Request, pk: int) -> HttpResponse:
    """Says what a test does; POST does it. It changes nothing about the account."""
    account = managed_account(request, pk)
    context: dict[str, object] = {"account": account}
    if request.method == "POST":
        try:
            count_attempt(user_id=request.user.pk, host=account.imap_host)
        except TooManyAttempts as error:
            context["problem"] = describe.Problem.of(error)
        else:
            steps = [ShownStep.of(step) for step in probe_account(account)]
            context |= {"steps": steps, "all_well": all(step.result == "ok" for step in steps)}
    return render(request, "mailaccounts/probe.html", context)

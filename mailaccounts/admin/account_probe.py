"""The way into a mailbox, tried step by step for whoever helps its owner. It tells of servers, not of mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from mailaccounts.errors import MailAccountsError
from mailaccounts.models import AuditAction, MailAccount
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.signing_in.probe import probe_account
from mailaccounts.services.signing_in.probe_words import NAMES, SERVERS, words
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from mailaccounts.mail.watched import Step

TEMPLATE = "admin/mailaccounts/mailaccount/probe.html"
VERDICTS = {"ok": "OK", "failed": "Failed", "skipped": "Not tried"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStep:
    """A step as the page shows it; ``told`` is what was found, in a line."""

    server: str
    title: str
    status: str
    verdict: str
    milliseconds: int
    told: str
    sentence: str = ""
    code: str = ""

    @classmethod
    def of(cls, step: Step) -> ShownStep:
        status = "failed" if step.error else "skipped" if step.skipped else "ok"
        return cls(
            server=SERVERS[step.server],
            title=NAMES[step.name],
            status=status,
            verdict=VERDICTS[status],
            milliseconds=step.milliseconds,
            told="; ".join(f"{name}: {words(value)}" for name, value in step.details.items()),
            sentence=step.error.message if step.error else "",
            code=step.error.code if step.error else "",
        )


def page(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Says what a test does; POST does it, counts it as one of the user's attempts, and notes it for the owner."""
    if not model_admin.has_operate_permission(request):
        raise PermissionDenied
    account: MailAccount = get_object_or_404(MailAccount, pk=pk)
    context: dict[str, Any] = {"account": account, "title": "Test the connection", "subtitle": account.address}
    if request.method == "POST":
        try:
            count_attempt(user_id=request.user.pk or 0, host=account.imap_host)
        except MailAccountsError as error:
            context["problem"] = error.message
        else:
            note(AuditAction.TESTED, account, actor=request.user)
            steps = [ShownStep.of(step) for step in probe_account(account)]
            context |= {"steps": steps, "works": all(step.status == "ok" for step in steps)}
    context |= {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "media": model_admin.media,
    }
    return TemplateResponse(request, TEMPLATE, context)

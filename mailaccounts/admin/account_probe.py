"""The way into a mailbox, tried step by step for whoever helps its owner. It tells of servers, not of mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from mailaccounts.admin import pages
from mailaccounts.errors import MailAccountsError
from mailaccounts.models import AuditAction, MailAccount
from mailaccounts.services.limits.attempts import count_attempt
from mailaccounts.services.signing_in.probe import probe_account
from mailaccounts.services.signing_in.probe_words import NAMES, SERVERS, words
from mailaccounts.services.trail.audit import note

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from mailaccounts.mail.watched import Step


def page(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Says what a test does; POST does it, counts it as one of the user's attempts, and notes it for the owner."""
    if not model_admin.has_operate_permission(request):
        raise PermissionDenied
    account: MailAccount = get_object_or_404(MailAccount, pk=pk)
    context: dict[str, Any] = {"original": account, "title": "Test the connection", "subtitle": account.address}
    if request.method == "POST":
        try:
            count_attempt(user_id=request.user.pk or 0, host=account.imap_host)
        except MailAccountsError as error:
            context["problem"] = error.message
        else:
            note(AuditAction.TESTED, account, actor=request.user)
            steps = [_shown(step) for step in probe_account(account)]
            context |= {"steps": steps, "works": all(step.status == "ok" for step in steps)}
    return pages.render(model_admin, request, "mailaccount/probe", **context)


def _shown(step: Step) -> pages.ShownStep:
    return pages.ShownStep(
        name=step.name,
        title=f"{SERVERS[step.server]}: {NAMES[step.name]}",
        status=step.status,
        milliseconds=step.milliseconds,
        sentence=step.error.message if step.error else "",
        told="; ".join(f"{name}: {words(value)}" for name, value in step.details.items()),
        code=step.error.code if step.error else "",
    )

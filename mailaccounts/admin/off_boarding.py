"""What becomes of the mail of users who left, asked of whoever may say so: handed over or erased. It shows
figures, and no mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse

from mailaccounts.admin import pages
from mailaccounts.forms.off_boarding import OffBoardForm
from mailaccounts.hooks import hooks
from mailaccounts.models import MailAccount
from mailaccounts.selectors import deactivated, is_deactivated
from mailaccounts.services.connecting import handing_over
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.connecting.handing_over import Share

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST = 100  # accounts at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An account on the page; ``left_alone`` says why nothing is done with it, "" when it is."""

    account: MailAccount
    share: Share
    left_alone: str

    @classmethod
    def of(cls, account: MailAccount) -> Row:
        if not is_deactivated(account.owner):
            left_alone = "Its owner isn't deactivated."
        elif account.is_erasing or account.is_being_handed_over:
            left_alone = "Its mail is being erased or handed over already."
        else:
            left_alone = ""
        return cls(account=account, share=Share.of(account), left_alone=left_alone)


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Says of each ``account`` how much would be handed over and how much erased; POST ``do`` has that done."""
    if not model_admin.has_off_board_permission(request):
        raise PermissionDenied
    asked = hooks().reauthenticate(request) if request.method == "POST" else None
    if asked is not None:
        return asked
    chosen = [each for each in request.GET.getlist("account") if each.isdecimal()][:MOST]
    accounts = MailAccount.objects.filter(pk__in=chosen).select_related("owner").order_by("address", "pk")
    form = OffBoardForm(request.POST or None)
    rows = [Row.of(account) for account in accounts]
    if form.is_bound and form.is_valid():
        _do([row.account for row in rows if not row.left_alone], form, request)
        return HttpResponseRedirect(reverse("admin:mailaccounts_mailaccount_changelist"))
    may_go_on = any(not row.left_alone for row in rows)
    return pages.render(
        model_admin, request, "mailaccount/off_board", title="Off-board", rows=rows, form=form, may_go_on=may_go_on
    )


def _do(accounts: list[MailAccount], form: OffBoardForm, request: HttpRequest) -> None:
    begun, user = 0, request.user
    heir = None if form.erases else form.heir_named
    gone = deactivated("owner__")  # still, at the moment that it is done
    for account in accounts:
        if heir is None:
            begun += cut(account.pk, actor=user, reason=Reason.DEACTIVATED, only=gone, erase_mail=True) is not None
        elif problem := handing_over.obstacle(account, heir):
            messages.warning(request, f"{account.address}: {problem}")
        else:
            cut(account.pk, actor=user, reason=Reason.DEACTIVATED, only=gone)  # a tick was about to
            begun += handing_over.begin(account.pk, heir=heir, actor=user)
    done = "erased" if heir is None else f"handed over to {heir}"
    told = f"The mail of {begun} account{'' if begun == 1 else 's'} is being {done}. Receipts are in the audit trail."
    messages.success(request, told)

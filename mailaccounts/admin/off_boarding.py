"""What becomes of the mail of users who left, asked of whoever may say so: handed over or erased. It says what will
happen in figures, has it confirmed, and ends with receipts; it shows no mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpResponseRedirect
from django.urls import reverse

from mailaccounts.admin import pages
from mailaccounts.forms.off_boarding import OffBoardForm
from mailaccounts.hooks import hooks
from mailaccounts.models import HANDING_OVER, MailAccount
from mailaccounts.selectors import deactivated, is_deactivated
from mailaccounts.services.connecting import handing_over
from mailaccounts.services.connecting.disconnect import Reason, cut
from mailaccounts.services.connecting.heritage import Share

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
    def of(cls, account: MailAccount, heir: Any = None) -> Row:
        """As it is, or, once an ``heir`` is named, as it would be with them."""
        if not is_deactivated(account.owner):
            left_alone = "Its owner isn't deactivated."
        elif account.is_erasing or account.is_being_handed_over:
            left_alone = "Its mail is being erased or handed over already."
        else:
            left_alone = (heir and handing_over.obstacle(account, heir)) or ""
        return cls(account=account, share=Share.of(account), left_alone=left_alone)

    @property
    def owner_is_active(self) -> bool:
        return not is_deactivated(self.account.owner)


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Says of each ``account`` how much would be handed over and how much erased, and asks which; POSTed, says what
    will happen, and has it done once they are ``sure``."""
    if not model_admin.has_off_board_permission(request):
        raise PermissionDenied
    asked = hooks().reauthenticate(request) if request.method == "POST" else None
    if asked is not None:
        return asked
    form = OffBoardForm(request.POST or None)
    decided = form.is_bound and form.is_valid()
    heir = form.heir_named if decided else None
    rows = [Row.of(account, heir) for account in _chosen(request)]
    done_with = [row for row in rows if not row.left_alone]
    if decided and done_with and "sure" in request.POST:
        return _do([row.account for row in done_with], heir, request)
    context = {
        "rows": rows,
        "several": len(rows) > 1,
        "number": len(done_with),
        "total": _total(done_with),
        "form": form,
        "heir": heir,
        "gone": [row for row in done_with if heir and not row.share.handed_over],
        "unchecked": decided and "confirming" in request.POST,
    }
    name = "off_board_confirm" if decided else "off_board"
    return pages.render(model_admin, request, f"mailaccount/{name}", title="Off-board", **context)


def receipts_at(keys: list[int]) -> str:
    """Where the receipts of these accounts are."""
    return f"{reverse('admin:mailaccounts_mailaccount_receipts')}?{urlencode({'account': keys}, doseq=True)}"


def asked_for(request: HttpRequest) -> list[int]:
    """The keys of the accounts that the address names."""
    return [int(each) for each in request.GET.getlist("account") if each.isdecimal() and len(each) < 19][:MOST]


def _chosen(request: HttpRequest) -> list[MailAccount]:
    accounts = MailAccount.objects.filter(pk__in=asked_for(request)).select_related("owner")
    return list(accounts.order_by("address", "pk"))


def _total(rows: list[Row]) -> Share:
    shares = [row.share for row in rows]
    return Share(
        readable=sum(each.readable for each in shares),
        subject=sum(each.subject for each in shares),
        private=sum(each.private for each in shares),
    )


def _do(accounts: list[MailAccount], heir: Any, request: HttpRequest) -> HttpResponse:
    """Leads to the receipts, or back to the list where nothing came of it."""
    begun, user = [], request.user
    gone = deactivated("owner__") & ~Q(status_code=HANDING_OVER)  # still, at the moment that it is done
    for account in accounts:
        if heir is None:
            done = cut(account.pk, actor=user, reason=Reason.DEACTIVATED, only=gone, erase_mail=True) is not None
        else:
            cut(account.pk, actor=user, reason=Reason.DEACTIVATED, only=gone)  # a tick was about to
            done = handing_over.begin(account.pk, heir=heir, actor=user)
        if done:
            begun.append(account.pk)
        else:
            changed = "it was changed a moment ago, and is left alone. Look at it again."
            messages.warning(request, f"{account.address}: {changed}")
    if not begun:
        return HttpResponseRedirect(reverse("admin:mailaccounts_mailaccount_changelist"))
    whose = "1 account" if len(begun) == 1 else f"{len(begun)} accounts"
    doing = f"handed over to {heir}" if heir else "erased"
    messages.success(request, f"The mail of {whose} is being {doing}. A worker does it; you needn't wait.")
    return HttpResponseRedirect(receipts_at(begun))

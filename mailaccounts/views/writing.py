"""Writing: a new message, an answer, a draft that is kept as one types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from mailaccounts import selectors
from mailaccounts.errors import MailAccountsError, NoWayToAnswer, OutgoingChanged
from mailaccounts.forms.writing import WritingForm, begun_with, typed_in
from mailaccounts.mail import typed
from mailaccounts.mail.compose import Enclosure
from mailaccounts.models import EDITABLE, NEEDS_SOMEBODY, Message, Outgoing
from mailaccounts.services.sending import answer, drafts, originals, outbox
from mailaccounts.services.trail import looks
from mailaccounts.views.access import key_in, private
from mailaccounts.views.describe import Problem

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount
    from mailaccounts.views.access import Request


@private
@require_http_methods(["GET", "POST"])
def compose(request: Request) -> HttpResponse:
    """A new message, to ``?to=`` perhaps. Nothing is kept of it before something was typed."""
    kept = key_in(request.POST.get("draft", ""))
    draft = get_object_or_404(_written(request).filter(state__in=EDITABLE), pk=kept) if kept else None
    return _write(request, draft)


@private
@require_http_methods(["GET", "POST"])
def draft(request: Request, pk: int) -> HttpResponse:
    """A draft, or what couldn't be sent; to the outbox with what is in the post by now. While files are fetched, htmx
    asks for these only."""
    found = get_object_or_404(_written(request), pk=pk)
    if found.state not in EDITABLE:
        if request.htmx:
            return _saved(request, Problem.of(OutgoingChanged()))
        messages.info(request, OutgoingChanged().message)
        return redirect("mailaccounts:outbox")
    if request.method == "GET":
        drafts.take_out_quoted(found)
    if request.htmx and request.method == "GET":
        return render(request, "mailaccounts/draft_files.html", _files(found))
    return _write(request, found)


@private
@require_POST
def reply(request: Request, pk: int) -> HttpResponse:
    """Begins an answer to whoever wrote a message."""
    return _answer(request, pk, lambda message, account: answer.reply(message, author=request.user, account=account))


@private
@require_POST
def reply_all(request: Request, pk: int) -> HttpResponse:
    """Begins an answer to everybody who has a message."""
    return _answer(
        request,
        pk,
        lambda message, account: answer.reply(message, author=request.user, account=account, everyone=True),
    )


@private
@require_POST
def forward(request: Request, pk: int) -> HttpResponse:
    """Begins to pass a message on."""
    return _answer(request, pk, lambda message, account: answer.forward(message, author=request.user, account=account))


def _answer(request: Request, pk: int, begin: Any) -> HttpResponse:
    message = get_object_or_404(
        selectors.readable_by(request.user).select_related("account").prefetch_related("participants"), pk=pk
    )
    account = _answers_from(request, message)
    if account is None:
        return _cannot_write(request)
    looks.note(message, viewer=request.user, why="Answered or passed on")
    return redirect("mailaccounts:draft", begin(message, account).pk)


def _answers_from(request: Request, message: Message) -> MailAccount | None:
    """The account that the message came to; what came to somebody else's is answered from an own one."""
    senders = list(selectors.senders_for(request.user))
    same = selectors.own_messages(request.user).filter(fingerprint=message.fingerprint)
    own = {message.account_id, *same.values_list("account_id", flat=True)}
    return next((each for each in senders if each.pk in own), next(iter(senders), None))


def _write(request: Request, draft: Outgoing | None) -> HttpResponse:
    """Shows the form, or does what its buttons say: keep, attach, leave out, send, discard."""
    senders = list(selectors.senders_for(request.user))
    if not senders:
        return _cannot_write(request)
    if draft:
        initial = typed_in(draft)
    else:
        to = typed.read(request.GET.get("to", "").replace("\0", ""))
        initial = begun_with(senders[0], answer.new(senders[0], to=to))
    form = WritingForm(request.POST or None, senders=senders, initial=initial)
    if request.method != "POST":
        return _show(request, form, draft, None)
    if not form.is_valid():
        invalid = Problem(code="invalid", sentence="This couldn't be kept.", next_step="Look at what is marked.")
        return _saved(request, invalid) if request.htmx else _show(request, form, draft, invalid)
    problem: Problem | None = None
    with transaction.atomic():  # or what is kept in passing might come between what was typed and what is sent
        try:
            draft = _keep(request, form, draft)
            if request.POST.get("do") != "discard" and drafts.take_out_quoted(draft):
                return _shown_anew(request, draft)
            done = _saved(request, None, draft) if request.htmx else _do(request, draft)
        except MailAccountsError as error:
            problem = Problem.of(error)
    if problem is None:
        return done
    return _saved(request, problem) if request.htmx else _show(request, form, draft, problem)


def _shown_anew(request: Request, draft: Outgoing) -> HttpResponse:
    """The page as it has to look now, whichever button was pressed."""
    if request.htmx:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return redirect("mailaccounts:draft", draft.pk)


def _keep(request: Request, form: WritingForm, draft: Outgoing | None) -> Outgoing:
    account, written = form.written()
    if draft is None:
        return drafts.begin(account, written, author=request.user)
    drafts.change(draft, written, account=account)
    draft.refresh_from_db()
    return draft


def _do(request: Request, draft: Outgoing) -> HttpResponse:
    """What the button that was pressed says."""
    if files := request.FILES.getlist("files"):
        drafts.insist_on_room(draft, sum(each.size or 0 for each in files))
        drafts.enclose(draft, *(_enclosure(each) for each in files))
    match request.POST.get("do"):
        case "send":
            outbox.queue(draft)
            messages.success(request, "Your message is on its way.")
            return redirect("mailaccounts:outbox")
        case "discard":
            drafts.discard(draft)
            messages.success(request, "The draft is discarded.")
            return redirect("mailaccounts:drafts")
        case "fetch":
            originals.try_again(draft)
        case "save":
            messages.success(request, "The draft is saved.")
    if left_out := key_in(request.POST.get("leave_out", "")):
        drafts.leave_out(draft, left_out)
    return redirect("mailaccounts:draft", draft.pk)


def _enclosure(file: Any) -> Enclosure:
    return Enclosure(name=file.name, content_type=file.content_type or "application/octet-stream", content=file.read())


def _show(request: Request, form: WritingForm, draft: Outgoing | None, problem: Problem | None) -> HttpResponse:
    account = draft.account if draft else next(iter(form.accounts.values()))
    context = {
        "form": form,
        "account": account,
        "problem": problem,
        "needs_somebody": account.status in NEEDS_SOMEBODY,
        "limit": drafts.limit_of(account) * 57 // 78,
        **_files(draft),
    }
    return render(request, "mailaccounts/write.html", context)


def _files(draft: Outgoing | None) -> dict[str, Any]:
    """What mailaccounts/draft_files.html shows."""
    if draft is None:
        return {"draft": None, "action": reverse("mailaccounts:compose")}
    files = list(selectors.enclosed_in(draft))
    awaited = any(each.awaited and not each.problem for each in files)
    here = reverse("mailaccounts:draft", args=[draft.pk])
    return {"draft": draft, "action": here, "files": files, "awaited": awaited}


def _saved(request: Request, problem: Problem | None, draft: Outgoing | None = None) -> HttpResponse:
    """What the page shows after it was kept in passing; a new draft has an address from then on."""
    response = render(request, "mailaccounts/saved.html", {"problem": problem, "draft": draft, "now": timezone.now()})
    if draft:
        response["HX-Replace-Url"] = reverse("mailaccounts:draft", args=[draft.pk])
    return response


def _cannot_write(request: Request) -> HttpResponse:
    return render(request, "mailaccounts/cannot_write.html", {"problem": Problem.of(NoWayToAnswer())})


def _written(request: Request) -> Any:
    return selectors.outgoing_for(request.user).select_related("account", "forwards").defer("raw")

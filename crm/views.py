"""The CRM's pages: contacts and companies with their timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from crm import directory, selectors
from crm.forms import CompanyForm, ContactForm
from crm.models import Company, Contact
from crm.people_views import left_behind_by
from mailaccounts import selectors as mailbox
from mailaccounts.services.inbox.browse import Place
from mailaccounts.services.trail import looks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest, HttpResponse

CONTACTS_A_PAGE = 25
MESSAGES_A_PAGE = 30
ON_A_TIMELINE = "On a timeline"  # not whose: looks outlast whoever is erased


@login_required
@require_GET
def contacts(request: HttpRequest) -> HttpResponse:
    """Everybody we know, searchable, with when they were last in touch."""
    text = request.GET.get("q", "").replace("\x00", "").strip()
    page = Paginator(selectors.search_contacts(text), CONTACTS_A_PAGE).get_page(request.GET.get("page"))
    activity = selectors.activity(page.object_list, user=request.user)
    rows = [(contact, activity.get(contact.pk)) for contact in page]
    return render(request, "crm/contacts.html", {"page": page, "rows": rows, "text": text})


@login_required
@never_cache
@require_GET
def contact(request: HttpRequest, pk: int) -> HttpResponse:
    """One contact and the mail with them, newest first."""
    found = get_object_or_404(Contact.objects.select_related("company").prefetch_related("addresses"), pk=pk)
    shown = {
        "contact": found,
        "ignored_because": directory.ignored_because(found),
        "looking": selectors.looking(found),
    }
    return render(request, "crm/contact.html", {**_timeline(request, found), **shown})


@login_required
@never_cache
@require_GET
def company(request: HttpRequest, pk: int) -> HttpResponse:
    """One company, its people, and the mail with anybody there, newest first."""
    found = get_object_or_404(Company.objects.prefetch_related("domains", "contacts__addresses"), pk=pk)
    here = directory.barred([f"@{each.domain}" for each in found.domains.all()])
    barred = [each for each in found.domains.all() if f"@{each.domain}" in here or directory.is_barred(each.domain)]
    shown = {"company": found, "barred": barred, "looking": selectors.looking(found)}
    return render(request, "crm/company.html", {**_timeline(request, found), **shown})


@login_required
@require_http_methods(["GET", "POST"])
def edit_contact(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Adds a contact, or corrects one. Buttons that only add or remove a line for an address save nothing."""
    found = get_object_or_404(Contact, pk=pk) if pk else None
    if {"more", "remove"} & request.POST.keys():
        form = ContactForm.reshaped(request.POST, instance=found)
    else:
        form = ContactForm(request.POST or None, instance=found)
        if request.method == "POST" and form.is_valid() and (done := _saved(request, form)):
            return done
    return render(request, "crm/contact_form.html", {"form": form, "contact": found})


@login_required
@require_http_methods(["GET", "POST"])
def edit_company(request: HttpRequest, pk: int) -> HttpResponse:
    """Corrects a company's name and its domains."""
    found = get_object_or_404(Company, pk=pk)
    form = CompanyForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid() and (done := _saved(request, form)):
        return done
    return render(request, "crm/company_form.html", {"form": form, "company": found})


def _saved(request: HttpRequest, form: ContactForm | CompanyForm) -> HttpResponse | None:
    """Where it goes on; None when somebody was quicker, and the form says with what."""
    try:
        saved = form.save()
    except IntegrityError:
        form.full_clean()
        return None
    messages.success(request, f"{saved.name} is saved.")
    return left_behind_by(request, form.removed) or redirect(saved)


def _timeline(request: HttpRequest, whose: Contact | Company) -> dict[str, Any]:
    """What crm/timeline.html shows. That somebody is shown what other people's mail says is noted for its owners."""
    below = Place.read(request.GET.get("below", ""))
    beyond = below.beyond(at="occurred_at") if below else Q()
    found: list[Any] = list(selectors.timeline(whose, user=request.user).filter(beyond)[: MESSAGES_A_PAGE + 1])
    entries, more, mail = found[:MESSAGES_A_PAGE], found[MESSAGES_A_PAGE:], []
    for entry in entries:
        entry.message.own = entry.access == mailbox.Access.OWN
        entry.message.readable = entry.access >= mailbox.Access.READ
        mail.append(entry.message)
    _tell_people(mail)
    _tell_text(mail, user=request.user)
    others = [each for each in mail if each.text and not each.own]
    looks.note_all(others, viewer=request.user, why=ON_A_TIMELINE)
    return {
        "entries": entries,
        "first": below is None,
        "after": Place(at=entries[-1].occurred_at, key=entries[-1].pk) if more else None,
        "has_accounts": mailbox.accounts_for(request.user).exists,  # asked where there is no mail to show
        "text_shown": selectors.TEXT_SHOWN,
    }


def _tell_text(mail: Iterable[Any], *, user: Any) -> None:
    """Gives each message ``text``, the beginning of what it says if the user may read it, and ``copies``, the same one
    in each mailbox that they may know of it from. Two queries."""
    texts, copies = selectors.texts(mail, user=user), mailbox.copies_of(mail, user)
    for message in mail:
        message.text, message.copies = texts.get(message.pk, ""), copies.get(message.fingerprint, [])


def _tell_people(mail: Iterable[Any]) -> None:
    """Gives each message ``known``, whom we know of its participants, and ``sender``, a participant or None, with
    ``called``; ``outgoing`` tells whether one of us sent it. Two queries."""
    people = {each.address for message in mail for each in message.participants.all()}
    known, ours = directory.known(people), directory.own_addresses(people)
    for message in mail:
        message.known = dict.fromkeys(
            known[each.address] for each in message.participants.all() if each.address in known
        )
        message.sender = directory.sender_of(message)
        message.outgoing = bool(message.sender and message.sender.address in ours)
        if message.sender:
            message.sender.called = directory.called(message.sender, known)

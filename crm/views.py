"""The CRM's pages: contacts, a contact's timeline, the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from crm import directory, selectors
from crm.forms import ContactForm
from crm.models import Contact
from mailaccounts import selectors as mailbox
from mailaccounts.models import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest, HttpResponse

    from mailaccounts.models import Message

CONTACTS_A_PAGE = 25
MESSAGES_A_PAGE = 30


@login_required
@require_GET
def contacts(request: HttpRequest) -> HttpResponse:
    """Everybody we know, searchable, with when they were last in touch."""
    text = request.GET.get("q", "").replace("\x00", "").strip()
    page = Paginator(selectors.search_contacts(text), CONTACTS_A_PAGE).get_page(request.GET.get("page"))
    activity = selectors.activity(page.object_list, user=request.user)
    rows = [(contact, *activity.get(contact.pk, (0, None))) for contact in page]
    return render(request, "crm/contacts.html", {"page": page, "rows": rows, "text": text})


@login_required
@never_cache
@require_GET
def contact(request: HttpRequest, pk: int) -> HttpResponse:
    """One contact and the mail with them, newest first."""
    found = get_object_or_404(Contact.objects.select_related("company"), pk=pk)
    entries = selectors.timeline(found, user=request.user)
    page = Paginator(entries, MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    _tell_text(_tell_direction(entry.message for entry in page))
    context = {
        "contact": found,
        "page": page,
        "ignored_because": directory.ignored_because(found),
        "has_accounts": mailbox.accounts_for(request.user).exists(),
        "text_shown": selectors.TEXT_SHOWN,
    }
    return render(request, "crm/contact.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def edit_contact(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Adds a contact, or corrects one."""
    found = get_object_or_404(Contact, pk=pk) if pk else None
    form = ContactForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        messages.success(request, f"{saved.name} is saved.")
        return redirect(saved)
    return render(request, "crm/contact_form.html", {"form": form, "contact": found})


@login_required
@never_cache
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """The stored mail of the user's accounts, newest first."""
    found = (
        mailbox.messages_for(request.user)
        .select_related("account")
        .prefetch_related("participants")
        .defer("body_text", "body_html")
        .order_by("-received_at", "-pk")
    )
    page = Paginator(found, MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    _tell_contacts(_tell_direction(page))
    return render(
        request, "crm/inbox.html", {"page": page, "has_accounts": mailbox.accounts_for(request.user).exists()}
    )


def _tell_text(mail: Iterable[Any]) -> None:
    """Gives each message ``text``: the beginning of what it says."""
    texts = selectors.texts(mail)
    for message in mail:
        message.text = texts.get(message.pk, "")


def _tell_contacts(mail: Iterable[Any]) -> None:
    """Gives each message ``contacts``: those who take part in it."""
    addresses = {message.pk: {each.address for each in message.participants.all()} for message in mail}
    people = list(directory.known_contacts(set().union(*addresses.values())))
    for message in mail:
        message.contacts = [contact for contact in people if contact.email in addresses[message.pk]]


def _tell_direction(mail: Iterable[Message]) -> list[Any]:
    """Gives each message ``sender`` (a participant or None) and ``outgoing``: whether one of us sent it."""
    found: list[Any] = list(mail)
    for message in found:
        senders = [each for each in message.participants.all() if each.role == Role.FROM]
        message.sender = senders[0] if senders else None
    ours = directory.own_addresses({message.sender.address for message in found if message.sender})
    for message in found:
        message.outgoing = bool(message.sender and message.sender.address in ours)
    return found

"""The inbox: the conversations in a user's mailboxes, filtered, searched, and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models.functions import Left
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from crm import directory, inbox_words
from mailaccounts.models import FolderRole, Message, Participant, ThreadFolder
from mailaccounts.services.inbox import actions, browse
from mailaccounts.services.storing import search

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from django.http import HttpRequest, QueryDict

    from crm.directory import Known
    from mailaccounts.models import Folder, MailAccount, Thread
    from mailaccounts.services.storing.search import Excerpt

A_PAGE = 30
SNIPPET = 300  # characters
MOST_PEOPLE = 5000  # of one page, in whose names contacts are looked for
REFUSED = 20  # actions that the page tells of at a time
INBOX, EVERYTHING = "inbox", "all"  # what may stand for a folder
WASTE = frozenset({FolderRole.JUNK, FolderRole.TRASH, FolderRole.DRAFTS})
NOT_LISTED = WASTE | {FolderRole.INBOX, FolderRole.ALL}
NO_TARGET = WASTE | {FolderRole.SENT, FolderRole.ALL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the address says is wanted. ``folder`` is INBOX, EVERYTHING or the number of one."""

    words: str = ""
    folder: str = INBOX
    account: int | None = None
    unread: bool = False
    flagged: bool = False
    attached: bool = False

    @classmethod
    def read(cls, query: QueryDict, *, accounts: Mapping[int, MailAccount], folders: Sequence[Folder]) -> Filters:
        """Without what is none of the user's."""
        account, folder = query.get("account", ""), query.get("folder", "")
        chosen = {str(pk): pk for pk in accounts}.get(account)
        known = {str(each.pk) for each in folders if chosen in {None, each.account_id}}
        return cls(
            words=" ".join(query.get("q", "").replace("\x00", "").split())[:500],
            folder=folder if folder in known | {EVERYTHING} else INBOX,
            account=chosen,
            unread="unread" in query,
            flagged="flagged" in query,
            attached="attached" in query,
        )

    @property
    def narrows(self) -> bool:
        """Whether there may be mail that isn't shown."""
        return self != Filters()

    @property
    def query(self) -> str:
        """The same as an address has it, "" for what is there without any."""
        told = {"q": self.words, "folder": "" if self.folder == INBOX else self.folder, "account": self.account or ""}
        ticks = {name: "on" for name in ("unread", "flagged", "attached") if getattr(self, name)}
        return urlencode({name: value for name, value in (told | ticks).items() if value})

    def wanted(self, accounts: Mapping[int, MailAccount], folders: Sequence[Folder]) -> browse.Wanted:
        chosen = [self.account] if self.account else list(accounts)
        lying: list[int] | None = None
        if self.folder == INBOX:
            lying = [each.pk for each in folders if each.role == FolderRole.INBOX and each.account_id in chosen]
        elif self.folder != EVERYTHING:
            lying = [int(self.folder)]
        return browse.Wanted(
            accounts=chosen, folders=lying, unread=self.unread, flagged=self.flagged, attached=self.attached
        )


@dataclass(slots=True, kw_only=True)
class Row:
    """A conversation as the list shows it: ``sender`` wrote its ``newest`` message, ``known`` are those in it."""

    thread: Thread
    newest: Message
    account: MailAccount
    sender: str
    outgoing: bool
    folders: list[str]
    excerpt: Excerpt | None
    known: list[Known] = field(default_factory=list)


@login_required
@never_cache
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """The user's conversations; for htmx the list alone, or nothing (204) while what it shows is what there is."""
    accounts = browse.accounts_of(request.user)
    refused = list(actions.refused(request.user)[:REFUSED])
    state = "-".join(f"{account.pk}.{account.revision}" for account in accounts.values())
    state += "".join(f"!{action.pk}" for action in refused)
    by_htmx = "HX-Request" in request.headers
    if by_htmx and request.GET.get("state") == state:
        return HttpResponse(status=204)
    folders = browse.folders_of(accounts)
    filters = Filters.read(request.GET, accounts=accounts, folders=folders)
    page = _page(request, filters, filters.wanted(accounts, folders))
    shown = {
        "rows": _rows(page, accounts, {each.pk: each for each in folders}),
        "page": page,
        "state": state,
        "filters": filters,
        "accounts": accounts.values(),
        "folders": _choices(folders, accounts, filters),
        "first": not {"below", "page"} & request.GET.keys(),
        "searching": bool(search.read(filters.words)),
        "refused": [(action.pk, inbox_words.refused(action)) for action in refused],
        "targets": [(each.pk, _named(each, accounts, filters)) for each in folders if is_target(each)],
        "archives": any(each.role == FolderRole.ARCHIVE or _is_gmails(each) for each in folders),
        "done": _done(request),
    }
    template = "crm/inbox_list.html" if by_htmx else "crm/inbox.html"
    return render(request, template, shown)


def _page(request: HttpRequest, filters: Filters, wanted: browse.Wanted) -> browse.Page:
    words = search.read(filters.words)
    if words:
        number = request.GET.get("page", "")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
        return browse.found(wanted, words, page=page, count=A_PAGE)
    return browse.newest(wanted, below=browse.Place.read(request.GET.get("below", "")), count=A_PAGE)


def _choices(
    folders: Sequence[Folder], accounts: Mapping[int, MailAccount], filters: Filters
) -> list[tuple[str, str]]:
    """The folders to choose from, as value and words; of several mailboxes with whose they are."""
    listed = (each for each in folders if each.role not in NOT_LISTED and filters.account in {None, each.account_id})
    return [
        (INBOX, "Inbox"),
        (EVERYTHING, "Everything"),
        *((str(each.pk), _named(each, accounts, filters)) for each in listed),
    ]


def _named(folder: Folder, accounts: Mapping[int, MailAccount], filters: Filters) -> str:
    name = "Inbox" if folder.role == FolderRole.INBOX else folder.name
    return f"{name} ({accounts[folder.account_id]})" if len(accounts) > 1 and filters.account is None else name


def is_target(folder: Folder) -> bool:
    """Whether one may move messages there: what is kept of the CRM's mail doesn't go to waste or to the drafts."""
    return folder.role not in NO_TARGET


def _is_gmails(folder: Folder) -> bool:
    """Whether the folder is a label: it isn't read, though it is there."""
    return folder.role == FolderRole.INBOX and folder.uidvalidity is None


def _done(request: HttpRequest) -> dict[str, Any] | None:
    """What the user has just done, in words, and the request that it was."""
    try:
        request_id = UUID(request.GET.get("done", ""))
    except ValueError:
        return None
    words = inbox_words.done(actions.of_user(request.user).filter(request=request_id))
    return {"words": words, "request": request_id} if words else None


def _rows(page: browse.Page, accounts: Mapping[int, MailAccount], folders: Mapping[int, Folder]) -> list[Row]:
    """What the list shows of a page's conversations. Five queries."""
    threads = [thread.pk for thread in page.threads]
    newest = _newest(page.newest.values())
    people = _people(threads)
    senders = {message.pk: directory.sender_of(message) for message in newest.values()}
    addresses = set().union(*people.values(), (each.address for each in senders.values() if each))
    known, ours = directory.known(addresses), directory.own_addresses(addresses)
    lying: dict[int, list[str]] = {}
    for thread_id, folder_id in ThreadFolder.objects.filter(thread__in=threads).values_list("thread", "folder"):
        folder = folders.get(folder_id)
        if folder and folder.role != FolderRole.ALL:
            lying.setdefault(thread_id, []).append("Inbox" if folder.role == FolderRole.INBOX else folder.name)
    rows = []
    for thread in page.threads:
        message = newest.get(page.newest.get(thread.pk, 0))
        if message is None:
            continue  # it went meanwhile
        sender = senders[message.pk]
        rows.append(
            Row(
                thread=thread,
                newest=message,
                account=accounts[thread.account_id],
                sender=directory.called(sender, known) if sender else "Nobody named",
                outgoing=bool(sender and sender.address in ours),
                folders=sorted(lying.get(thread.pk, [])),
                excerpt=page.excerpts.get(thread.pk),
                known=list(dict.fromkeys(known[each] for each in people.get(thread.pk, ()) if each in known)),
            )
        )
    return rows


def _newest(keys: Collection[int]) -> dict[int, Any]:
    """These messages with their senders, and what each says at its ``beginning``. Two queries."""
    messages = Message.objects.filter(pk__in=keys).defer("body_text", "body_html", "people")
    messages = messages.annotate(beginning=Left("body_text", SNIPPET)).prefetch_related("participants")
    return {message.pk: message for message in messages}


def _people(threads: Sequence[int]) -> dict[int, list[str]]:
    """The addresses in each of the conversations. One query."""
    rows = Participant.objects.filter(message__thread__in=threads).order_by("address")
    people: dict[int, list[str]] = {}
    for thread_id, address in rows.values_list("message__thread", "address").distinct()[:MOST_PEOPLE]:
        people.setdefault(thread_id, []).append(address)
    return people

"""The continuity certificate: what the mailbox and the store held before a switch, compared with what they hold after.

Nothing in it is asserted: every figure is counted after the first clean sync with the new sign-in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from mailaccounts.errors import MailAccountsError
from mailaccounts.mail.types import Endpoint
from mailaccounts.models import Message, MessageUid
from mailaccounts.services.moving import snapshot, steps
from mailaccounts.services.moving.rollback import way_back
from mailaccounts.services.signing_in import login
from mailaccounts.services.signing_in.credentials import in_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from mailaccounts.mail.imap import ImapSession
    from mailaccounts.models import MailAccount, MigrationStep
    from mailaccounts.services.moving.snapshot import FolderShot

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class FolderFigures:
    """One folder: messages that were ``expected`` in it, and those of them that are ``present``. ``missing`` are the
    UIDs of the others, where UIDs could be compared; where they couldn't, ``counted`` says so."""

    name: str
    expected: int
    present: int
    counted: bool = False
    missing: set[int] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "expected": self.expected, "present": self.present, "counted": self.counted}


def write_if_due(account: MailAccount, *, credential_id: UUID | None, since: datetime) -> bool:
    """Writes the certificate of the account's switch, if it waits for one, after a clean sync that began at ``since``
    with that credential. Trouble leaves it to the next clean sync."""
    step = steps.certificate_due(account.pk).select_related("run").order_by("-switched_at").first()
    if step is None or step.switched_at is None or step.switched_at > since:
        return False
    current = in_use(account)
    if current is None or current.pk != credential_id or current.backend != step.after:
        return False
    try:
        written = compare(account, step)
    except MailAccountsError as error:
        logger.warning("account %d: no certificate yet: %s", account.pk, error.code)
        return False
    return bool(steps.certificate_due(account.pk).filter(pk=step.pk).update(certificate=written))


def compare(account: MailAccount, step: MigrationStep) -> dict[str, Any]:
    """The certificate, in JSON, as the mailbox is now. Raises what ``login`` raises."""
    before: Mapping[str, Any] = step.snapshot or {}
    shots = [snapshot.FolderShot(**shot) for shot in before["folders"]]
    with login.open_imap(account) as session:
        now = {shot.name: snapshot.look(session, shot.name) for shot in shots}
    if before["elsewhere"]:
        folders = [_counted(shot, now[shot.name]) for shot in shots]
        expected, present, gone = before["placed"], _placed(account, last=before["last"]), 0
    elif before["by"] == "old":
        folders = [_compared(shot, now[shot.name]) for shot in shots]
        expected, present = sum(each.expected for each in folders), sum(each.present for each in folders)
        gone = _gone_for_the_old_one_too(account, before, folders)
    else:
        held = [snapshot.FolderShot(**shot) for shot in before["places"]]
        folders = _compared_with_store(account, now, held, last=before["last"])
        expected, present = sum(each.expected for each in folders), sum(each.present for each in folders)
        gone = expected - present  # since they were stored: nobody is left who could say when
    kept = Message.objects.filter(account=account, pk__lte=before["last"]).count()
    return {
        "account": account.address,
        "compared_at": timezone.now().isoformat(),
        "consented_at": _iso(step.consented_at),
        "verified_at": _iso(step.verified_at),
        "switched_at": _iso(step.switched_at),
        "before": step.before,
        "after": step.after,
        "scopes": step.scopes.split(),
        "compared_with": before["by"],
        "from": before["imap"],
        "to": account.imap.url,
        "folders": [each.as_json() for each in folders],
        "folders_compared": len(folders),
        "folders_left_out": before["left_out"],
        "expected": expected,
        "present": present,
        "deleted_meanwhile": gone,
        "stored_before": before["stored"],
        "stored_still": kept,
        "lost": max(0, expected - present - gone) + max(0, before["stored"] - kept),
        "doubled": _doubled(account, last=before["last"]),
        "fetched_again": step.fetched_again,
        "arrived_since": Message.objects.filter(account=account, pk__gt=before["last"]).count(),
    }


def _compared(before: FolderShot, now: FolderShot | None) -> FolderFigures:
    """UID by UID where numbering is the same and all are known, else by their number."""
    if now is None:
        return FolderFigures(name=before.name, expected=before.messages, present=0, missing=before.numbers())
    if before.uidvalidity != now.uidvalidity or before.uids is None or now.uids is None:
        return _counted(before, now)
    missing = before.numbers() - now.numbers()
    expected = before.messages
    return FolderFigures(name=before.name, expected=expected, present=expected - len(missing), missing=missing)


def _counted(before: FolderShot, now: FolderShot | None) -> FolderFigures:
    present = min(before.messages, now.messages) if now else 0
    return FolderFigures(name=before.name, expected=before.messages, present=present, counted=True)


def _compared_with_store(
    account: MailAccount, now: Mapping[str, FolderShot | None], held: Iterable[FolderShot], *, last: int
) -> list[FolderFigures]:
    """What was stored against what the mailbox holds, for want of somebody who saw it before. ``held`` is what was
    stored then: the sync since has noticed what is gone. A folder that is numbered otherwise by now is compared by
    where its messages were found again."""
    places = MessageUid.objects.filter(
        folder__account=account, uidvalidity=F("folder__uidvalidity"), message__lte=last, folder__name__in=now
    )
    known: dict[str, set[int]] = {name: set() for name in now}
    for name, uid in places.values_list("folder__name", "uid"):
        known[name].add(uid)
    for shot in held:
        there = now.get(shot.name)
        if shot.name in now and (there is None or there.uidvalidity == shot.uidvalidity):
            known[shot.name] = shot.numbers()
    return [_stored_ones(name, uids, now[name]) for name, uids in known.items()]


def _stored_ones(name: str, stored: set[int], now: FolderShot | None) -> FolderFigures:
    if now is not None and now.uids is None:
        return FolderFigures(name=name, expected=len(stored), present=min(len(stored), now.messages), counted=True)
    missing = stored - (now.numbers() if now else set())
    return FolderFigures(name=name, expected=len(stored), present=len(stored) - len(missing), missing=missing)


def _gone_for_the_old_one_too(
    account: MailAccount, before: Mapping[str, Any], folders: Iterable[FolderFigures]
) -> int:
    """How many of the missing messages the old sign-in doesn't see any more either: they were deleted or moved in the
    mailbox meanwhile, and not lost on the way."""
    missing = {each.name: each.missing for each in folders if each.missing}
    kept = way_back(account)
    if not missing or kept is None:
        return 0
    try:
        imap = Endpoint.from_url(before["imap"], protocol="imap")
        with login.open_with(kept, imap, limits=login.proof_limits()) as session:
            return sum(len(uids - _there(session, name)) for name, uids in missing.items())
    except MailAccountsError as error:
        logger.info("account %d: the old sign-in can't say what is missing: %s", account.pk, error.code)
        return 0


def _there(session: ImapSession, name: str) -> set[int]:
    shot = snapshot.look(session, name)
    return shot.numbers() if shot else set()


def _placed(account: MailAccount, *, last: int) -> int:
    """How many of the messages stored before have been found again, by what they are known by, on the new server."""
    places = MessageUid.objects.filter(folder__account=account, uidvalidity=F("folder__uidvalidity"))
    return places.filter(message__lte=last).values("message").distinct().count()


def _doubled(account: MailAccount, *, last: int) -> int:
    """Messages stored since though one with their Message-ID was stored before."""
    older = Message.objects.filter(account=account, pk__lte=last, message_id=OuterRef("message_id"))
    newer = Message.objects.filter(account=account, pk__gt=last).exclude(message_id="")
    return newer.filter(Exists(older)).count()


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None

"""What host and webhook are told: the webhook's row in the transaction at hand, the signal after its commit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from mailaccounts import signals
from mailaccounts.models import Alarm, MailAccount, Outgoing
from mailaccounts.services.telling import webhook

if TYPE_CHECKING:
    from typing import Any

    from django.dispatch import Signal


def status_changed(account_id: int, *, status: str, code: str) -> None:
    facts = {"account_id": account_id, "status": status, "code": code}
    webhook.note("account.status_changed", **facts)
    _send(signals.account_status_changed, MailAccount, facts)


def switched(account_id: int, *, old: str, new: str) -> None:
    facts = {"account_id": account_id, "old": old, "new": new}
    webhook.note("credential.switched", **facts)
    _send(signals.credential_switched, MailAccount, facts)


def sending_changed(outgoing_id: int, *, account_id: int, state: str) -> None:
    facts = {"outgoing_id": outgoing_id, "account_id": account_id, "state": state}
    webhook.note("outgoing.changed", **facts)
    _send(signals.outgoing_changed, Outgoing, facts)


def alarm_changed(alarm_id: int, *, kind: str, raised: bool) -> None:
    webhook.note("alarm.raised" if raised else "alarm.cleared", alarm_id=alarm_id, kind=kind)
    _send(signals.alarm_changed, Alarm, {"alarm_id": alarm_id, "kind": kind, "raised": raised})


def _send(signal: Signal, sender: Any, facts: dict[str, Any]) -> None:
    transaction.on_commit(partial(signal.send_robust, sender, **facts))

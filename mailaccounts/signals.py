"""What the host can listen to. Each is sent after the commit, with ids only."""

from django.dispatch import Signal

message_stored = Signal()
"""Messages are in the store. ``message_ids: list[int]`` (our keys, 200 at most), ``account_id: int``. Sent at least
once per message: receivers are idempotent. When one raises, receivers are called again for each message by itself,
and for those that it still fails on at the account's next sync."""

people_changed = Signal()
"""Whom the host knows of those who take part in stored messages has changed, as it said itself. ``message_ids:
list[int]`` (200 at most). Sent at least once for each of them: receivers are idempotent. What one raises has it called
again later."""

account_status_changed = Signal()
"""``account_id: int``, ``status: str``, ``code: str`` (an error code, or "")."""

credential_switched = Signal()
"""An account signs in another way now. ``account_id: int``, ``old: str``, ``new: str`` (backend slugs)."""

alarm_changed = Signal()
"""``alarm_id: int``, ``kind: str``, ``raised: bool``: something is wrong with the installation, or no more."""

outgoing_changed = Signal()
"""``outgoing_id: int``, ``account_id: int``, ``state: str``: how a message is doing that somebody sent."""

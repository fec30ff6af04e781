"""The pictures of a message: their addresses, which are good for a while, for one person and one message; and what is
there, taken from the message or, when somebody asked for it, from the web on their behalf."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from django.contrib.auth import get_user_model
from django.core.signing import BadSignature, Signer

from mailaccounts import selectors
from mailaccounts.conf import settings
from mailaccounts.errors import TooManyAttempts
from mailaccounts.mail.https import fetch
from mailaccounts.mail.pictures import BEGINNING, id_of, picture_type, pictures_in
from mailaccounts.services.inbox import attached
from mailaccounts.services.limits import slots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailaccounts.models import Message

PERIOD = 3600  # seconds; an address is good for one or two of them, and the same for all of one
MAX_BYTES = 8 * 2**20
SECONDS = 10  # for a picture from the web
AT_ONCE = 6  # of them for one person, as many as browsers ask a site for: others want their share of the web workers

_signer = Signer(salt="mailaccounts.picture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """``keeps`` says whether a browser may have it for a while: not what somebody opened until then only."""

    content_type: str
    content: bytes
    keeps: bool


def is_remote(address: str) -> bool:
    return address.lower().startswith(("http://", "https://"))


def sign(message: Message, *, user: Any, number: int) -> str:
    """What names the picture of that ``number`` in the message to ``user``, in an address."""
    until = int(time.time() / PERIOD) + 2
    return _signer.sign_object([str(user.pk), message.pk, number, until])


def find(signed: str) -> Picture | None:
    """The picture that was signed for somebody who may still see it; None when there is none, or no longer.

    Its type is what its bytes tell. Raises what reading the mailbox and what asking the web raise, and TooManyAttempts
    while as many as may be are on their way to the same person.
    """
    try:
        user_id, message_id, number, until = _signer.unsign_object(signed)
    except (BadSignature, ValueError, TypeError):
        return None
    user = get_user_model().objects.exclude(selectors.deactivated()).filter(pk=user_id).first()
    if user is None or until * PERIOD < time.time():
        return None
    message = selectors.readable_by(user, opened=True).select_related("account").filter(pk=message_id).first()
    addresses = pictures_in(message.body_html) if message else []
    if message is None or number >= len(addresses):
        return None
    address = addresses[number]
    content = _in_turn(user, address) if is_remote(address) else _enclosed(message, address)
    kind = picture_type(content)
    if not kind:
        return None
    keeps = selectors.readable_by(user).filter(pk=message.pk).exists()
    return Picture(content_type=kind, content=content, keeps=keeps)


def _enclosed(message: Message, address: str) -> bytes:
    """What comes with the message under a ``cid:`` (RFC 2392)."""
    found = message.attachments.filter(content_id=id_of(address)).exclude(content_id="").first()
    if found is None:
        return b""
    found.message = message
    return _bounded(attached.read(found))


def _in_turn(user: Any, address: str) -> bytes:
    """What is at an address in the web, if the user has no more under way than may be."""
    slot = slots.take(f"mailaccounts:pictures:{user.pk}", among=AT_ONCE, seconds=2 * SECONDS)
    if slot is None:
        raise TooManyAttempts
    try:
        return _remote(address)
    finally:
        slot.release()


def _remote(address: str) -> bytes:
    """What is at an address in the web. Nothing tells there who asks: no cookie, no referrer, not even a browser."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return b""
    path, query = (quote(each, safe="/%:@!$&'()*+,;=~?-._") for each in (parts.path, parts.query))
    return (
        fetch(
            urlunsplit(("https", parts.netloc, path, query, "")),
            network=settings.network,
            deadline=time.monotonic() + SECONDS,
            most_bytes=MAX_BYTES,
            accept="image/webp, image/png, image/jpeg, image/gif",
        )
        or b""
    )


def _bounded(pieces: Iterable[bytes]) -> bytes:
    """All of it, b"" when it is larger than any picture should be or starts like none."""
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > MAX_BYTES or not picture_type(bytes(content[:BEGINNING])):
            return b""
    return bytes(content)

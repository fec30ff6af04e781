"""Tells whoever runs this installation (Django's ADMINS) by mail what they have to do something about."""

from __future__ import annotations

import logging

from django.core.mail import get_connection, mail_admins

SECONDS = 10  # a mail server may take: whoever reports trouble has work to do

logger = logging.getLogger(__name__)


def tell(subject: str, body: str) -> bool:
    """Mails the ADMINS; False when that didn't work, which is noted and goes no further, for the log has said it
    already."""
    try:
        mail_admins(subject, body, connection=get_connection(timeout=SECONDS))
    except Exception as error:  # noqa: BLE001 - every mail backend has errors of its own
        logger.error("the ADMINS couldn't be told by mail: %s", type(error).__name__)
        return False
    return True

"""What a test changes about sessions, as only time would."""

from __future__ import annotations

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY as SHOWN
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session


def shown_long_ago(*, seconds: int = 7200) -> None:
    """Whoever is signed in showed who they are ``seconds`` earlier than they did."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        session[SHOWN] = [{**record, "at": record["at"] - seconds} for record in session.get(SHOWN, [])]
        session.save()

"""The app: registers the system checks, and sees after each migration that the tick is scheduled and that SQLite
has its triggers."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class MailAccountsConfig(AppConfig):
    name = "mailaccounts"
    verbose_name = _("Mail accounts")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mailaccounts import checks  # noqa: F401 - registers the system checks
        from mailaccounts.services.connecting import departures

        departures.watch()
        post_migrate.connect(_ensure_schedules, sender=self, dispatch_uid="mailaccounts.schedules")
        pre_migrate.connect(_lift_triggers, sender=self, dispatch_uid="mailaccounts.lift_triggers")
        post_migrate.connect(_make_triggers, sender=self, dispatch_uid="mailaccounts.make_triggers")


def _ensure_schedules(*, using: str, **_: Any) -> None:
    from django.db import DEFAULT_DB_ALIAS, connections

    from mailaccounts.queue import ensure_schedules

    # The queue's own table may not be there yet: `migrate mailaccounts` migrates one app only.
    if using == DEFAULT_DB_ALIAS and "django_q_schedule" in connections[using].introspection.table_names():
        ensure_schedules()


def _lift_triggers(*, using: str, **_: Any) -> None:
    from mailaccounts.services.storing import triggers

    triggers.lift(using)


def _make_triggers(*, using: str, **_: Any) -> None:
    from mailaccounts.services.storing import triggers

    triggers.make(using)

"""The admin: how accounts are doing and what they sign in with. No secret is in it, and no mail: seeing that takes
more than being staff."""

from mailaccounts.admin import (
    accounts,
    alarms,
    audit,
    clients,
    grants,
    migrations,
    openings,
    outgoing,
    quarantine,
    queue,
    tenants,
    webhook,
)

__all__ = [
    "accounts",
    "alarms",
    "audit",
    "clients",
    "grants",
    "migrations",
    "openings",
    "outgoing",
    "quarantine",
    "queue",
    "tenants",
    "webhook",
]

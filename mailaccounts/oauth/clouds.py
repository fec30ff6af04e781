"""Microsoft's clouds: which resource Exchange Online is in each, and which permissions it has."""

from __future__ import annotations

from urllib.parse import urlsplit

from mailaccounts.oauth.scopes import KEEP, READ, SEND
from mailaccounts.oauth.types import Scope

PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"  # whose accounts belong to nobody's directory (Entra's claims)
SHARED_TENANTS = frozenset({"common", "organizations", "consumers"})

# Delegated permissions go by the one name, an application's own by the other (Exchange Online's IMAP OAuth document).
_WORLDWIDE = ("https://outlook.office.com", "https://outlook.office365.com")
_NATIONAL = {
    "login.microsoftonline.us": "https://outlook.office365.us",  # GCC High; DoD has its own: name it in the scopes
    "login.partner.microsoftonline.cn": "https://partner.outlook.cn",
    "login.chinacloudapi.cn": "https://partner.outlook.cn",
}


def mail_scopes(authority: str) -> tuple[Scope, ...]:
    """What to ask people for in the cloud of ``authority``."""
    delegated, _ = _resources(authority)
    return (
        Scope(name=f"{delegated}/IMAP.AccessAsUser.All", reason=READ),
        Scope(name=f"{delegated}/SMTP.Send", reason=SEND, sends=True),
        KEEP,
    )


def application_scope(authority: str) -> str:
    """Everything the registration's application permissions allow in Exchange Online."""
    _, own = _resources(authority)
    return f"{own}/.default"


def of_tenant(authority: str, tenant: str) -> str:
    """The authority of one tenant in the cloud of ``authority``."""
    return urlsplit(authority)._replace(path=f"/{tenant}").geturl()


def tenant_of(authority: str) -> str:
    """The tenant that an authority, or an issuer, is about."""
    return urlsplit(authority).path.strip("/").partition("/")[0]


def _resources(authority: str) -> tuple[str, str]:
    national = _NATIONAL.get(urlsplit(authority).hostname or "")
    return (national, national) if national else _WORLDWIDE

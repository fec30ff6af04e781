"""What the sandbox tells its identity provider at start."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

VARIABLE = "SANDBOX_IDP_TASK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The CRM's registration with one of the providers.

    ``certificate`` (PEM) may prove the client instead of its secret; ``service_account`` is an address that signs for
    itself with a key of its own, whose public half (PEM) is ``service_key``.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: list[str]
    certificate: str = ""
    service_account: str = ""
    service_key: str = ""

    @property
    def ids(self) -> set[str]:
        """What tokens may be issued to."""
        return {name for name in (self.client_id, self.service_account) if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Handed over on standard input, and from there to Django's settings through this process's environment."""

    directory: str  # where the database is
    users_file: str
    base_url: str  # https://localhost:PORT
    cert_file: str
    key_file: str
    tenant: str  # the id of Entra's directory
    clients: dict[str, Client]  # by the CRM's name for the provider
    mail_client_id: str  # whom the mail servers introspect as
    mail_client_secret: str = field(repr=False)
    control_token: str = field(repr=False)
    signing_key: str = field(default="", repr=False)  # PEM, made at start

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Task:
        """From JSON."""
        return cls(**{**raw, "clients": {slug: Client(**client) for slug, client in raw["clients"].items()}})

    def publish(self) -> None:
        os.environ[VARIABLE] = json.dumps(asdict(self))


@lru_cache(maxsize=1)
def published() -> Task:
    """The task of this process."""
    return Task.read(json.loads(os.environ[VARIABLE]))

"""A certificate authority of the sandbox's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """PEM files: the authority to trust, and what the servers at localhost show."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        """Makes a new authority and one certificate for localhost, 127.0.0.1 and ::1."""
        authority = trustme.CA(organization_name="django-mailaccounts sandbox")
        issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
        made = cls(ca_file=directory / "ca.pem", cert_file=directory / "server.pem", key_file=directory / "server.key")
        authority.cert_pem.write_to_path(made.ca_file)
        for index, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(made.cert_file, append=index > 0)
        made.key_file.touch(mode=0o600)
        issued.private_key_pem.write_to_path(made.key_file)
        return made

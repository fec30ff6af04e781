"""Thunderbird's autoconfig: a document in which a domain describes its mail servers (config-v1.1.xml).

Asked of the domain itself and over https only: what is read here decides where a password goes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from mailaccounts.errors import MailAccountsError
from mailaccounts.mail import https
from mailaccounts.mail.types import Endpoint, Security

if TYPE_CHECKING:
    from mailaccounts.mail.network import Network

MOST_BYTES = 256 * 1024
MOST_DEPTH = 20
MOST_SERVERS = 50
MOST_USERNAME = 320
PLACES = (
    "https://autoconfig.{domain}/mail/config-v1.1.xml",
    "https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
)
SECURITY = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}  # "plain" is no way in for us


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Servers with the most preferred first; ``username`` is the login name, "" when the document names none."""

    imap: tuple[Endpoint, ...] = ()
    smtp: tuple[Endpoint, ...] = ()
    username: str = ""


def look(address: str, domain: str, *, network: Network, deadline: float) -> Configuration:
    """What the domain of ``address`` says of itself; empty when it says nothing, or not in time.

    Both places are asked at once and the first in order counts. ``domain`` is in ASCII, ``deadline`` an instant of
    time.monotonic().
    """

    def read_at(place: str) -> Configuration:
        url = place.format(domain=domain)
        try:
            document = https.fetch(url, network=network, deadline=deadline, most_bytes=MOST_BYTES)
        except MailAccountsError:
            return Configuration()
        return read(document or b"", address)

    with ThreadPoolExecutor(max_workers=len(PLACES), thread_name_prefix="autoconfig") as pool:
        found = list(pool.map(read_at, PLACES))
    return next((each for each in found if each.imap), Configuration())


def read(document: bytes, address: str) -> Configuration:
    """The encrypted IMAP and SMTP servers of a document; empty for one that can't be used."""
    reader = _Reader()
    try:
        reader.parse(document)
    except (expat.ExpatError, _Refused, ValueError, LookupError):  # LookupError: an encoding nobody knows
        return Configuration()
    listed = [(server, endpoint) for server in reader.servers if (endpoint := _endpoint(server, address))]
    incoming = [server for server, endpoint in listed if endpoint.protocol == "imap"]
    return Configuration(
        imap=tuple(endpoint for _, endpoint in listed if endpoint.protocol == "imap"),
        smtp=tuple(endpoint for _, endpoint in listed if endpoint.protocol == "smtp"),
        username=_username(incoming[0].get("username", ""), address) if incoming else "",
    )


class _Refused(Exception):
    """The document has what a description of mail servers doesn't need: a DTD, entities, no end."""


@dataclass
class _Reader:
    """Collects ``incomingServer type=imap`` and ``outgoingServer type=smtp`` with the text of their children."""

    servers: list[dict[str, str]] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _server: dict[str, str] | None = None

    def parse(self, document: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse  # no DTD: no entities, inside or outside
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(document, True)

    def _refuse(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > MOST_DEPTH or len(self.servers) > MOST_SERVERS:
            raise _Refused
        kind = (name, attributes.get("type"))
        if kind in {("incomingServer", "imap"), ("outgoingServer", "smtp")} and self._server is None:
            self._server = {"protocol": attributes["type"]}
            self.servers.append(self._server)
        elif self._server is not None and name in self._server:
            self._path[-1] = ""  # a second host name or user name: the first counts

    def _end(self, name: str) -> None:
        self._path.pop()
        if name in {"incomingServer", "outgoingServer"}:
            self._server = None

    def _text(self, text: str) -> None:
        if self._server is not None and self._path[-1] in {"hostname", "port", "socketType", "username"}:
            self._server[self._path[-1]] = self._server.get(self._path[-1], "") + text


def _endpoint(server: dict[str, str], address: str) -> Endpoint | None:
    """The server as an endpoint; None for one that isn't encrypted, or whose port is no number."""
    security = SECURITY.get(server.get("socketType", "").strip())
    host = _filled(server.get("hostname", ""), address).lower()
    port = server.get("port", "").strip()
    if security is None or not host or not (port.isascii() and port.isdigit() and len(port) <= 5):
        return None
    return Endpoint(protocol=server["protocol"], host=host, port=int(port), security=security)


def _username(template: str, address: str) -> str:
    name = _filled(template, address)
    return name if name.isprintable() and len(name) <= MOST_USERNAME and "%" not in name else ""


def _filled(template: str, address: str) -> str:
    """``template`` with its placeholders filled in."""
    local, _, domain = address.rpartition("@")
    values = {"%EMAILADDRESS%": address, "%EMAILLOCALPART%": local, "%EMAILDOMAIN%": domain}
    text = template.strip()
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text

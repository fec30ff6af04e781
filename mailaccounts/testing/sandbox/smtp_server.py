"""A submission server on aiosmtpd, run as a child process.

Signs in by password or token, lets people send as themselves and as the mailboxes they share, and files what is for
this sandbox in the recipients' INBOX over IMAP. What is for other domains is kept in the outbox and goes nowhere.
"""

from __future__ import annotations

import asyncio
import imaplib
import logging
import secrets
import ssl
import time
import warnings
from base64 import b64decode
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

from mailaccounts.testing.sandbox.mailbox import Mailbox
from mailaccounts.testing.sandbox.process import read_task, report_ready
from mailaccounts.testing.sandbox.tokens import TOKEN_MECHANISMS, Introspector, ProviderDown, read_bearer, refusal
from mailaccounts.testing.sandbox.users import APPLICATIONS, SandboxUser, UserFile

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

SIZE_LIMIT = 35 * 2**20
AUTH_BYTES = 12_288  # RFC 4954 §4

logger = logging.getLogger("sandbox.smtp")


class Server(SMTP):
    """aiosmtpd with room for tokens, which are longer than its lines."""

    line_length_limit = AUTH_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.command_size_limits["AUTH"] = AUTH_BYTES


class Submission:
    """aiosmtpd's handler: who may sign in, who may send to whom, and where it goes."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.users = UserFile(Path(task["users_file"]))
        self.introspector = Introspector(task["introspection_url"], ca_file=task["ca_file"])
        self.imap_port = int(task["imap_port"])
        self.ca_file = Path(task["ca_file"])
        self.outbox = Path(task["outbox"])

    def check_password(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        """aiosmtpd's authenticator, for PLAIN and LOGIN."""
        if not isinstance(login, LoginPassword):
            return AuthResult(success=False, handled=False)
        user = self.users.find(login.login.decode(errors="replace"))
        right = user is not None and compare_digest(user.password.encode(), login.password)
        return AuthResult(success=right, handled=False, auth_data=user.address if user and right else None)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        return await self.check_token(server, args)

    async def auth_OAUTHBEARER(self, server: SMTP, args: list[str]) -> AuthResult:
        return await self.check_token(server, args)

    async def check_token(self, server: SMTP, args: list[str]) -> AuthResult:
        """A bearer token of whoever signs in, or of an application; refused with a challenge first, as Microsoft and
        Google do."""
        mechanism = args[0].upper()
        response = b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        if not isinstance(response, bytes):
            return AuthResult(success=False)
        try:
            address, token = read_bearer(mechanism, response)
            owner = await asyncio.to_thread(self.introspector.owner, token)
        except ValueError:
            return AuthResult(success=False, handled=False, message="501 5.5.2 Not a response of this mechanism")
        except ProviderDown:
            return AuthResult(success=False, handled=False, message="454 4.7.0 Temporary authentication failure")
        user = self.users.find(address)
        own = owner == APPLICATIONS or owner.lower() == address.lower()  # a shared mailbox doesn't sign in by itself
        if user is None or not own or not self.users.may_open(owner, address):
            answer = await server.challenge_auth(refusal(mechanism))
            return AuthResult(success=False, handled=answer is MISSING)
        return AuthResult(success=True, auth_data=user.address)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        user = self.users.find(str(session.auth_data))
        if user is None or address.lower() not in user.opens:
            return "550 5.7.60 You may not send as this sender"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        local = address.rpartition("@")[2].lower() in self.users.domains()
        if local and self.users.find(address) is None:
            return "550 5.1.1 There is nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        found = {address: self.users.find(address) for address in envelope.rcpt_tos}
        try:
            for user in {user for user in found.values() if user}:
                await asyncio.to_thread(self.deliver, user, raw)
        except (imaplib.IMAP4.error, OSError):
            logger.exception("delivery failed")
            return "451 4.3.0 The mailbox can't be reached"
        elsewhere = [address for address, user in found.items() if user is None]
        if elsewhere:
            await asyncio.to_thread(self.keep, elsewhere, raw)
        return "250 2.0.0 Accepted"

    def deliver(self, user: SandboxUser, raw: bytes) -> None:
        mailbox = Mailbox(user, port=self.imap_port, ca_file=self.ca_file)
        try:
            mailbox.append(raw)
        finally:
            mailbox.close()

    def keep(self, recipients: list[str], raw: bytes) -> None:
        """Named so that they sort by time; the recipients of the envelope in a header of their own."""
        envelope = f"X-Envelope-To: {', '.join(recipients)}\r\n".encode()
        path = self.outbox / f"{time.time_ns()}-{secrets.token_hex(4)}.eml"
        path.write_bytes(envelope + raw)


async def serve(task: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(task["cert_file"], task["key_file"])
    handler = Submission(task)

    def connection(*, implicit: bool) -> Server:
        return Server(
            handler,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Sandbox ESMTP",
            tls_context=None if implicit else context,
            require_starttls=not implicit,
            auth_required=True,
            auth_require_tls=not implicit,  # aiosmtpd doesn't see implicit TLS
            authenticator=handler.check_password,
            auth_exclude_mechanism=set(TOKEN_MECHANISMS) - set(task["token_mechanisms"]),
            loop=loop,
        )

    for index, listener in enumerate(task["sockets"]):
        if index < task["tls_sockets"]:
            await loop.create_server(lambda: connection(implicit=True), sock=listener, ssl=context)
        else:
            await loop.create_server(lambda: connection(implicit=False), sock=listener)
    report_ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd logs commands, and so credentials
    warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")  # it is there, implicitly
    asyncio.run(serve(read_task()))

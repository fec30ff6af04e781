"""pymap with tokens and our users: an IMAP server in pure Python, run as a child process.

Everything lives in memory. Two things are added to pymap: passwords come from the users file, and a bearer token is
checked with the identity provider, which takes a challenge of its own when it is refused.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from argparse import Namespace
from base64 import b64encode
from contextlib import AsyncExitStack, asynccontextmanager, closing
from hmac import compare_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config, Identity, Login, Session
from pymap.config import BackendCapability
from pymap.context import connection_exit
from pymap.exceptions import InvalidAuth, ResponseError
from pymap.imap import IMAPConnection, IMAPServer
from pymap.imap.state import ConnectionState
from pymap.parsing.response import CommandResponse, ResponseCode, ResponseContinuation, ResponseNo, ResponseOk
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.creds.server import ServerCredentials
from pysasl.exception import InvalidResponse
from pysasl.mechanism import ServerChallenge, ServerMechanism
from pysasl.prep import noprep

from mailaccounts.testing.sandbox.process import read_task, report_ready
from mailaccounts.testing.sandbox.tokens import Introspector, ProviderDown, read_bearer, refusal
from mailaccounts.testing.sandbox.users import UserFile

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Sequence

    from proxyprotocol.sock import SocketInfo
    from pysasl.mechanism import ChallengeResponse
    from pysasl.prep import Preparation

FOLDERS = {"Sent": b"Sent", "Drafts": b"Drafts", "Trash": b"Trash"}
"""The folders every mailbox has, with their special use (RFC 6154)."""


class Presented(ServerCredentials):
    """A token somebody presented, not looked at yet."""

    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = address, token

    @property
    def authcid(self) -> str:
        return self.address

    @property
    def authzid(self) -> str:
        return self.address

    def verify(self, identity: object) -> bool:
        return False


class BearerMechanism(ServerMechanism):
    """XOAUTH2 or OAUTHBEARER, as far as it can be told without the identity provider."""

    def server_attempt(self, responses: Sequence[ChallengeResponse]) -> tuple[Presented, None]:
        if not responses:
            raise ServerChallenge(b"")
        try:
            return Presented(*read_bearer(self.name.decode(), responses[0].response)), None
        except ValueError:
            raise InvalidResponse from None


class Admitted(ServerCredentials):
    """Somebody whose token the identity provider vouched for."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def authcid(self) -> str:
        return self.address

    @property
    def authzid(self) -> str:
        return self.address

    def verify(self, identity: object) -> bool:
        return True


class Unavailable(ResponseError):
    """The identity provider can't be asked: not the user's fault (RFC 5530)."""

    def get_response(self, tag: bytes) -> ResponseNo:
        return ResponseNo(tag, b"Temporary authentication failure.", ResponseCode.of(b"UNAVAILABLE"))


class Known(UserMetadata):
    """A user with a password in clear text, of any characters."""

    def compare_secret(self, value: str) -> bool:
        return compare_digest(value.encode(), (self.password or "").encode())


class SandboxConfig(Config):
    """pymap's settings for one port."""

    def __init__(self, context: ssl.SSLContext, *, starttls: bool, token_mechanisms: list[str]) -> None:
        self.token_mechanisms = token_mechanisms
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            ssl_context=context,
            tls_enabled=starttls,
            proxy_protocol=ProxyProtocolNoop(),
            demo_data=False,
            demo_user="",
            demo_password="",
            invalid_user_sleep=0,
        )

    @property
    def tls_auth(self) -> SASLAuth:
        bearers = [BearerMechanism(name) for name in self.token_mechanisms]
        return SASLAuth([*SASLAuth.named([b"PLAIN", b"LOGIN"]).server_mechanisms, *bearers])

    @property
    def password_prep(self) -> Preparation:
        return noprep

    @property
    def backend_capability(self) -> BackendCapability:
        return BackendCapability(idle=True, object_id=True, multi_append=True, custom=[b"SPECIAL-USE"])

    @property
    def greeting(self) -> bytes:
        return b"Sandbox ready."


class SandboxSession(Session):
    """Tells what the folders are for."""

    async def list_mailboxes(self, *args: Any, **kwargs: Any) -> Any:
        listed, updates = await super().list_mailboxes(*args, **kwargs)
        special = [
            (name, delimiter, [*flags, FOLDERS[name]] if name in FOLDERS else flags)
            for name, delimiter, flags in listed
        ]
        return special, updates


class SandboxIdentity(Identity):
    """A user of the users file; the folders every mailbox has are made at the first login."""

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        new = self.name not in self.config.set_cache
        async with super().new_session() as session:
            if new:
                for name in FOLDERS:
                    await session.mailbox_set.add_mailbox(name)
            yield SandboxSession(self.name, session.config, session.mailbox_set, session.filter_set)


class SandboxLogin(Login):
    """Passwords from the users file; names in lower case, as the mailboxes are."""

    def __init__(self, config: Config, users: UserFile) -> None:
        super().__init__(config)
        self.users = users

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        user = self.users.find(credentials.authcid)
        if user is None:
            raise InvalidAuth
        name = user.address.lower()
        known = Known(self.config, credentials.authcid, password=user.password)
        if not credentials.verify(known):
            raise InvalidAuth
        self.users_dict[name] = known
        return SandboxIdentity(name, self, None, frozenset())

    async def authorize(self, authenticated: Any, authzid: str) -> Identity:
        if authzid.lower() != authenticated.name:
            raise InvalidAuth
        return SandboxIdentity(authenticated.name, self, None, frozenset())


class SandboxState(ConnectionState):
    """Wants TLS before a login, from this machine too (pymap lets localhost go without)."""

    async def do_greeting(self) -> CommandResponse:
        return ResponseOk(b"*", self.config.greeting, self.capability)


class SandboxConnection(IMAPConnection):
    """Adds the identity provider's word to a token."""

    def __init__(self, introspector: Introspector, users: UserFile, *args: Any) -> None:
        super().__init__(*args)
        self.introspector = introspector
        self.users = users

    async def authenticate(self, state: ConnectionState, mech_name: bytes) -> ServerCredentials | None:
        credentials = await super().authenticate(state, mech_name)
        if not isinstance(credentials, Presented):
            return credentials
        try:
            owner = await asyncio.to_thread(self.introspector.owner, credentials.token)
        except ProviderDown:
            raise Unavailable from None
        if not self.users.may_open(owner, credentials.address):
            reasons = b64encode(refusal(mech_name.decode().upper()))
            await self.write_response(ResponseContinuation(reasons))
            await self.read_continuation(0)  # the client's empty answer
            raise InvalidAuth
        return Admitted(credentials.address)


class SandboxServer(IMAPServer):
    """pymap's server with our connections."""

    def __init__(self, login: SandboxLogin, config: Config, introspector: Introspector) -> None:
        super().__init__(login, config)
        self.login = login
        self.config = config
        self.introspector = introspector

    async def __call__(self, reader: StreamReader, writer: StreamWriter, sock_info: SocketInfo) -> None:
        users = self.login.users
        connection = SandboxConnection(self.introspector, users, self.commands, self.config, reader, writer, sock_info)
        state = SandboxState(self.login, self.config)
        async with AsyncExitStack() as stack:
            connection_exit.set(stack)
            stack.enter_context(closing(connection))
            await connection.run(state)


async def serve(task: dict[str, Any]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(task["cert_file"], task["key_file"])
    introspector = Introspector(task["introspection_url"], ca_file=task["ca_file"])
    tls = SandboxConfig(context, starttls=False, token_mechanisms=task["token_mechanisms"])
    starttls = SandboxConfig(context, starttls=True, token_mechanisms=task["token_mechanisms"])
    starttls.set_cache = tls.set_cache  # the same mail on both ports
    tls.apply_context()
    users = UserFile(Path(task["users_file"]))
    for index, listener in enumerate(task["sockets"]):
        implicit = index < task["tls_sockets"]
        config = tls if implicit else starttls
        server = SandboxServer(SandboxLogin(config, users), config, introspector)
        callback = ProxyProtocolReader(config.proxy_protocol).get_callback(server)
        await asyncio.start_server(callback, sock=listener, ssl=context if implicit else None)
    report_ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(serve(read_task()))

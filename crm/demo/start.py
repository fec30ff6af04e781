"""Starts the demo's world: sandbox, database, mailboxes, web server, worker."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formataddr
from typing import TYPE_CHECKING

import requests

from crm.demo.mailserver import MailServer
from crm.demo.people import make_cast, write_contacts
from crm.demo.world import DemoError, base_environment, python, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from crm.demo.people import Cast, User
    from crm.demo.supervisor import Child, Supervisor
    from crm.demo.world import World

HOST = "127.0.0.1"
PORTS_TO_TRY = 100
START_SECONDS = 60.0
MESSAGES = {"olga": 320, "ben": 60}
TETHER = ("-m", "crm.demo.tether")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The demo once everything answers. ``address`` is the CRM's: ``http://localhost:8000``."""

    supervisor: Supervisor
    world: World
    cast: Cast
    mail: MailServer
    address: str
    environment: dict[str, str]


def start(supervisor: Supervisor, world: World, *, port: int, imap: str, say: Callable[[str], None]) -> Running:
    """Returns when the CRM can be used; DemoError says what went wrong and where its log is."""
    cast = make_cast()
    write_contacts(world.contacts_file)

    say("Starting a mail server and an identity provider, making a database and mailboxes …")
    sandbox = _start_sandbox(supervisor, world, cast, imap=imap)
    preparing = [_prepare(supervisor, world, cast), *(_make_mailbox(supervisor, world, user) for user in cast.users)]
    ready = json.loads(supervisor.first_line(sandbox, seconds=START_SECONDS))
    port = free_port(port)
    address = f"http://localhost:{port}"  # by name: a passkey belongs to a name, never to a number
    environment = world.environment({**ready["environment"], "SITE_URL": address})
    world.keep_environment(environment)
    mail = MailServer(imap_url=ready["imap"], smtp_url=ready["smtp"], ca_file=environment["MAILACCOUNTS_CA_BUNDLE"])
    for child in preparing:
        supervisor.finish(child, seconds=START_SECONDS)
    for user in cast.users:
        mail.fill(user.person, world.mailbox_file(user.username))

    say("Starting the CRM and its worker …")
    web = ("-m", "waitress", f"--listen={HOST}:{port}", "crm.wsgi:application")
    supervisor.start("Web server", python(*TETHER, *web), environment)
    supervisor.start("Worker", python(*TETHER, "manage.py", "qcluster"), environment)
    supervisor.start("Watcher", python(*TETHER, "manage.py", "watch_mailboxes"), environment)
    supervisor.wait_for(lambda: _answers(address), what="Starting the web server", seconds=START_SECONDS)
    return Running(supervisor=supervisor, world=world, cast=cast, mail=mail, address=address, environment=environment)


def free_port(first: int) -> int:
    """The first port from ``first`` on that nobody listens on; DemoError when there is none near."""
    for port in range(first, min(first + PORTS_TO_TRY, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise DemoError(f"No port from {first} on is free. Choose another with --port.")


def _start_sandbox(supervisor: Supervisor, world: World, cast: Cast, *, imap: str) -> Child:
    people = world.directory / "people.json"
    administrators = {user.person for user in cast.users if user.admin}
    listed = [
        {
            "address": each.address,
            "password": each.password,
            "is_admin": each in administrators,
            "closed_to_apps": each == cast.canary,
        }
        for each in cast.people
    ]
    write_private(people, {"users": listed})
    options = ("--directory", str(world.sandbox_directory), "--imap", imap, "--users", str(people))
    return supervisor.start(
        "Sandbox", python("-m", "mailaccounts.testing.sandbox", *options), base_environment(), talks=True
    )


def _prepare(supervisor: Supervisor, world: World, cast: Cast) -> Child:
    users = world.directory / "users.json"
    listed = []
    for user in cast.users:
        first_name, last_name = user.person.name.split()
        names = {"first_name": first_name, "last_name": last_name, "email": user.person.address}
        listed.append({"username": user.username, "password": user.password, "admin": user.admin, **names})
    write_private(users, listed)
    command = python("-m", "crm.demo.prepare", str(world.contacts_file), str(users))
    return supervisor.start("Preparation", command, world.environment(), once=True)


def _make_mailbox(supervisor: Supervisor, world: World, user: User) -> Child:
    options = {
        "--count": MESSAGES[user.username],
        "--seed": MESSAGES[user.username],
        "--owner": formataddr((user.person.name, user.person.address)),
        "--contacts": world.contacts_file,
        "--copies": 0.02,
        "--newest": datetime.now(UTC).isoformat(),
    }
    arguments = [str(each) for option in options.items() for each in option]
    return supervisor.start(
        f"Mailbox of {user.username}",
        python("-m", "mailaccounts.testing.mailbox", *arguments, "--attachment-bytes", "1000", "40000"),
        base_environment(),
        once=True,
        output=world.mailbox_file(user.username),
    )


def _answers(address: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{address}/accounts/login/", timeout=START_SECONDS).ok
    except requests.ConnectionError:
        return False

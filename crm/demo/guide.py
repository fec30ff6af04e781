"""What a person at the demo is told, and the letter that arrives while they look."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from shlex import quote
from typing import TYPE_CHECKING

from crm.demo.world import PROJECT

if TYPE_CHECKING:
    from crm.demo.people import Person
    from crm.demo.start import Running


def describe(running: Running) -> str:
    """The address, the sign-ins, and what to try."""
    olga, ben = running.cast.users
    rows = [
        ("Sign in to the CRM", olga.username, olga.password),
        ("  and as administrator", ben.username, ben.password),
        ("Olga's mailbox", olga.person.address, olga.person.password),
        ("Ben's mailbox", ben.person.address, ben.person.password),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    manage = quote(str(PROJECT / "manage.py"))
    table = "\n".join(f"  {what:<{widths[0]}}  {name:<{widths[1]}}  {password}" for what, name, password in rows)
    return f"""
The demo is at  {running.address}/

{table}

What to try
  1. Sign in as {olga.username}, open Settings → Email accounts, and connect {olga.person.address}:
     enter the address, then choose Password. (Or go to Microsoft right away, as in step 3.)
     The servers are found by the address. Say how far back; a preview shows with whom there is mail.
     The first sync reads headers and stores only mail with contacts.
  2. Open a contact: their mail is on the timeline.
  3. Back at the account, choose Switch to OAuth. At the provider sign in with the same address and password.
     Your browser doesn't know the demo's own certificate authority and warns once; go on to localhost.
  4. Press Enter in this terminal: {running.cast.writer.name}, a contact, writes a message.
     A moment later it is on her timeline.
  5. Sign in as {ben.username}, who administers all of this: {running.address}/admin/
     Mail accounts → Dashboard, in the admin, says whether all is well.
     Settings → Campaigns moves many mailboxes; the invitations are in {running.world.logs / "worker.log"}.
     Organisations, in the admin, lets the CRM into all of them: {ben.person.address} may consent to that,
     and the mailbox that must be refused is {running.cast.canary.address}.
  6. The commands, in another terminal, once a mailbox is connected:
     ENV_FILE={quote(str(running.world.environment_file))} {quote(sys.executable)} {manage} audit_mailboxes --all

Logs and data are in {running.world.directory}. Ctrl-C stops everything."""


def write_new_mail(running: Running) -> str:
    """A contact writes to the first user; what to tell about it."""
    reader, writer = running.cast.users[0].person, running.cast.writer
    message = letter(writer, reader, subject=f"A new question, asked at {datetime.now(UTC):%H:%M:%S} UTC")
    running.mail.send(writer, message)
    return f"{writer.name} has written to {reader.address}: {message['Subject']}"


def letter(writer: Person, reader: Person, *, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = formataddr((writer.name, writer.address))
    message["To"] = formataddr((reader.name, reader.address))
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=writer.address.rpartition("@")[2])
    message.set_content(
        f"Hello {reader.name.split()[0]},\n\ncould we talk about the next delivery?\n\n{writer.name}\n"
    )
    return message

"""A Django CRM that isn't ours installs mailaccounts as docs/installing.md says, connects a mailbox and syncs it."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.letters import CONTACT, STRANGER, letter

if TYPE_CHECKING:
    from tests.sandbox_fixtures import SandboxMailbox

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "tests" / "foreign_host"
PATIENCE = 120  # seconds

PEOPLE = f"""
from django.contrib.auth.models import User
from desk.models import Customer
User.objects.create_user("anna")
Customer.objects.create(name="Maria").emails.create(address="{CONTACT.capitalize()}")
"""

LOOK = """
import json, sys
from django.contrib.auth.models import User
from django.test import Client
from desk.models import Note
from mailaccounts.models import Message, Participant
client = Client(headers={"host": "desk.example"})
path = "/settings/email-accounts/"
strangers = client.get(path)
client.force_login(User.objects.get())
print(json.dumps({
    "stored": sorted(Message.objects.values_list("subject", flat=True)),
    "people": sorted(set(Participant.objects.values_list("address", flat=True))),
    "notes": sorted(f"{each.customer} {each.mail.subject}" for each in Note.objects.all()),
    "strangers": strangers.headers.get("Location", ""),
    "pages": [client.get(each).content.decode() for each in (path, path + "connect/", "/mail/new/", "/mail/outbox/")],
    "thread": client.get(f"/mail/{Message.objects.get().thread_id}/").content.decode(),
    "answer": client.post(f"/mail/message/{Message.objects.get().pk}/reply/", follow=True).content.decode(),
    "modules": [name for name in sys.modules if name.split(".")[0] in ("crm", "allauth", "environ", "whitenoise")],
}))
"""


class Desk:
    """The host project, each command a process of its own, with a database of its own."""

    def __init__(self, directory: Path, mailbox: SandboxMailbox) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
            **mailbox.sandbox.environment(),
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "desk.sandbox",
            "DESK_SECRET_KEY": secrets.token_hex(32),
            "DESK_DATABASE": str(directory / "desk.sqlite3"),
            "MAIL_KEY": base64.b64encode(os.urandom(32)).decode(),
        }

    def manage(self, *arguments: str, typed: str = "") -> str:
        return self._run("manage.py", *arguments, typed=typed)

    def python(self, code: str) -> str:
        return self._run("-c", "import django; django.setup()\n" + code)

    def _run(self, *arguments: str, typed: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=HOST, env=self.environment, input=typed, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path, mailbox: SandboxMailbox) -> Desk:
    return Desk(tmp_path, mailbox)


def test_a_host_of_its_own_connects_and_syncs_and_stores_what_concerns_its_people(
    desk: Desk, mailbox: SandboxMailbox
) -> None:
    mailbox.append(letter(CONTACT, mailbox.address, "The offer"))
    mailbox.append(letter(STRANGER, mailbox.address, "Half price today"))
    desk.manage("migrate", "-v0")
    assert "no issues" in desk.manage("check", "--fail-level", "WARNING")
    assert "No changes" in desk.manage("makemigrations", "--check", "--dry-run")
    desk.python(PEOPLE)

    sandbox = mailbox.sandbox
    servers = ("--imap", sandbox.imap.url, "--smtp", sandbox.smtp.url)
    how = ("--owner", "anna", "--backend", "password", "--secret-file", "-")
    desk.manage("connect_mailbox", mailbox.address, *how, *servers, typed=mailbox.password)
    report = json.loads(desk.manage("sync_mailboxes", "--all", "--json"))
    assert (report["examined"], report["stored"], report["bodies_fetched"], report["error"]) == (2, 1, 1, None)

    seen: dict[str, Any] = json.loads(desk.python(LOOK))
    assert seen["stored"] == ["The offer"]
    assert seen["people"] == sorted([CONTACT, mailbox.address])
    assert seen["notes"] == ["Maria The offer"]
    assert seen["strangers"].startswith("/admin/login/")
    for page in (*seen["pages"], seen["thread"], seen["answer"]):
        assert '<body class="desk">' in page
    assert mailbox.address in seen["pages"][0]
    assert "The offer" in seen["thread"] and "Good morning" in seen["thread"]
    assert f'value="{CONTACT}"' in seen["answer"]
    assert seen["modules"] == []


def blocks() -> dict[str, str]:
    """The documented code by the name of its file."""
    text = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    return dict(re.findall(r"`([\w/]+\.\w+)`[^`]*:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL))


@pytest.mark.parametrize(
    "name",
    ["desk/settings.py", "desk/urls.py", "desk/hooks.py", "desk/receivers.py", "templates/mailaccounts/base.html"],
)
def test_the_documented_code_is_what_was_run(name: str) -> None:
    assert blocks()[name] in (HOST / name).read_text(encoding="utf-8")


def test_what_a_host_writes_are_less_than_thirty_lines_of_python() -> None:
    code = [line for name, block in blocks().items() if name.endswith(".py") for line in block.splitlines() if line]
    assert len(code) < 30

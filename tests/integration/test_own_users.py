"""A host whose users are its own: they have no user name, no full name and no number."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "tests" / "foreign_host"
PATIENCE = 120  # seconds

WALK = """
import json
import django
django.setup()
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from mailaccounts import tasks
from mailaccounts.models import BreakGlass, MailAccount
from members.models import Member
from tests.app.builders import make_credential, make_message, make_account, make_outgoing

call_command("migrate", verbosity=0)
boss = Member.objects.create(login="boss@desk.example", is_staff=True, is_superuser=True)
anna = Member.objects.create(login="anna@desk.example")
account = make_credential(make_account(anna)).account
message = make_message(account, has_body=True, body_html='<img data-src="https://pictures.example/one.png">')
make_outgoing(account)
client = Client(raise_request_exception=False, headers={"host": "desk.example"})
answers = {}

def ask(path, data=None):
    answer = client.get(path) if data is None else client.post(path, data)
    answers[path] = answer.status_code
    return answer

client.force_login(boss)
for model in admin.site._registry:
    if model._meta.app_label == "mailaccounts":
        ask(reverse(f"admin:mailaccounts_{model._meta.model_name}_changelist") + "?q=anna")
found = account.address in ask("/admin/mailaccounts/mailaccount/?q=anna@desk").content.decode()
ask(f"/mail/opened/{account.pk}/open/", {"reason": "An order is missing", "minutes": 15})
tasks.tell_opened(BreakGlass.objects.get().pk)
ask(f"/mail/opened/{account.pk}/")
ask(f"/mail/{message.thread_id}/")
client.force_login(anna)
for page in ("", "connect/", "receipts/", "1/", "1/ledger/", "1/privacy/", "1/disconnect/"):
    ask(f"/settings/email-accounts/{page}")
ask(f"/mail/message/{message.pk}/body/?pictures=1")
ask("/mail/new/")
ask("/mail/outbox/")
tasks.tick()
tasks.day()
anna.is_active = False
anna.save()
client.force_login(boss)
page = f"/admin/mailaccounts/mailaccount/off-board/?account={account.pk}"
ask(page)
ask(page, {"do": "erase", "sure": "on"})
tasks.erase(account.pk)
print(json.dumps({"answers": answers, "found": found, "left": MailAccount.objects.count()}))
"""


def test_every_page_and_job_does_with_them(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        "PYTHONPATH": f"{HOST}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "members.settings",
        "DESK_SECRET_KEY": secrets.token_hex(32),
        "DESK_DATABASE": str(tmp_path / "desk.sqlite3"),
        "MAIL_KEY": base64.b64encode(os.urandom(32)).decode(),
    }
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=HOST, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {path: status for path, status in seen["answers"].items() if status not in (200, 302)} == {}
    assert (seen["found"], seen["left"]) == (True, 0)
    assert "couldn't be told" not in done.stderr

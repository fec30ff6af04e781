"""PostgreSQL with two roles, as docs/deploying.md makes them: one owns the tables and migrates; as the other
everything works, and the audit trail can't be touched."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from tests.crm_process import ROOT, database_url, environment, manage
from tests.servers import postgres_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What the processes do, in one of them; an export is in the audit trail.
AT_WORK = """
import django
django.setup()
import json
from django.core.management import call_command
from mailaccounts import tasks
from mailaccounts.services.running import ready
call_command("import_contacts", "-")
tasks.tick()
tasks.day()
call_command("export_audit")
print(json.dumps(ready.problems()))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The database's URL for each of them."""

    owner: str
    application: str


@pytest.fixture(scope="module")
def roles(django_db_setup: None) -> Iterator[Roles]:
    """A database with one entry in its audit trail. It isn't called a test's, for those may be emptied."""
    name = f"roles_{secrets.token_hex(4)}"
    application, password = f"{name}_app", secrets.token_hex(16)
    server = database_url().rpartition("/")[0]
    at = server.rpartition("@")[2]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as superuser:
        superuser.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        superuser.execute(f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0")
        try:
            with psycopg.connect(f"{server}/{name}") as there:
                for statement in documented({"crm_app": application, "crm": name, "…": password}):
                    there.execute(statement.encode())
            found = Roles(
                owner=f"postgres://{name}:{password}@{at}/{name}",
                application=f"postgres://{application}:{password}@{at}/{name}",
            )
            manage("migrate", "--verbosity=0", env=environment(DATABASE_URL=found.owner))
            yield found
        finally:
            superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
            superuser.execute(f"DROP ROLE IF EXISTS {application}")
            superuser.execute(f"DROP ROLE {name}")


def documented(words: dict[str, str]) -> list[str]:
    """The statements of docs/deploying.md, with these words for its."""
    (block,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/deploying.md").read_text(encoding="utf-8"), re.DOTALL)
    statements = re.sub("crm_app|crm|…", lambda found: words[found[0]], block)
    return [each for each in statements.split(";\n") if each.strip()]


@pytest.fixture
def entry(roles: Roles) -> None:
    with psycopg.connect(roles.application) as application:
        application.execute(
            "INSERT INTO mailaccounts_auditentry (id, at, action, account, address, facts, signature)"
            " VALUES (gen_random_uuid(), now(), 'connected', 1, 'anna@example.test', '{}', '')"
        )


def test_the_application_works_as_a_role_that_owns_nothing(roles: Roles) -> None:
    env = environment(DATABASE_URL=roles.application, LOG_LEVEL="WARNING")
    done = subprocess.run(
        [sys.executable, "-c", AT_WORK],
        cwd=ROOT, env=env, capture_output=True, text=True, check=True, input="name,email,company\nAnna,a@b.test,\n",
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert done.stderr == ""


@pytest.mark.usefixtures("entry")
def test_a_backup_that_it_makes_has_its_rights_in_the_database_that_is_restored(roles: Roles, tmp_path: Path) -> None:
    dump = str(tmp_path / "crm.dump")
    restored = f"{roles.owner}_restored"
    name = restored.rpartition("/")[2]
    with psycopg.connect(f"{database_url().rpartition('/')[0]}/postgres", autocommit=True) as superuser:
        superuser.execute(f"CREATE DATABASE {name} OWNER {name.removesuffix('_restored')} TEMPLATE template0".encode())
        try:
            run(postgres_program("pg_dump"), "--format=custom", f"--file={dump}", roles.application)
            carefully = ("--no-owner", "--exit-on-error", "--jobs=2")
            run(postgres_program("pg_restore"), *carefully, f"--dbname={restored}", dump)
            with psycopg.connect(f"{roles.application}_restored") as application:
                application.execute("INSERT INTO crm_company (name) VALUES ('Acme')")
                with pytest.raises(errors.InsufficientPrivilege):
                    application.execute("CREATE TABLE another (id int)")
        finally:
            superuser.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def run(*command: str) -> None:
    subprocess.run(command, check=True)


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("UPDATE mailaccounts_auditentry SET action = 'disconnected'", errors.RestrictViolation),
        ("DELETE FROM mailaccounts_auditentry", errors.RestrictViolation),
        ("TRUNCATE mailaccounts_auditentry", errors.InsufficientPrivilege),
        ("ALTER TABLE mailaccounts_auditentry DISABLE TRIGGER ALL", errors.InsufficientPrivilege),
        ("DROP TRIGGER mailaccounts_auditentry_kept ON mailaccounts_auditentry", errors.InsufficientPrivilege),
        ("ALTER FUNCTION mailaccounts_auditentry_refused() RENAME TO gone", errors.InsufficientPrivilege),
        ("DROP TABLE mailaccounts_auditentry", errors.InsufficientPrivilege),
        ("CREATE TABLE another (id int)", errors.InsufficientPrivilege),
        ("SET session_replication_role = replica", errors.InsufficientPrivilege),
    ],
)
def test_nothing_it_can_say_changes_the_audit_trail(
    roles: Roles, statement: str, because: type[psycopg.Error]
) -> None:
    with psycopg.connect(roles.application) as application, pytest.raises(because):
        application.execute(statement.encode())


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE mailaccounts_auditentry SET address = ''",
        "DELETE FROM mailaccounts_auditentry",
        "TRUNCATE mailaccounts_auditentry",
    ],
)
def test_the_owner_is_refused_too_and_could_take_the_refusal_away(roles: Roles, change: str) -> None:
    """Which is why no process is to connect as the owner."""
    with psycopg.connect(roles.owner) as owner:
        with pytest.raises(errors.InsufficientPrivilege), owner.transaction():
            owner.execute("SET session_replication_role = replica")
        with pytest.raises(errors.RestrictViolation), owner.transaction():
            owner.execute(change.encode())
        owner.execute("ALTER TABLE mailaccounts_auditentry DISABLE TRIGGER USER")
        owner.execute(change.encode())
        owner.rollback()

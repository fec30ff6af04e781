"""manage.py import_contacts: what comes in, what is refused, and how it tells."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from crm.models import Contact

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


class Outcome:
    def __init__(self, path: Path | str, *options: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = 0
        try:
            call_command("import_contacts", str(path), *options, stdout=out, stderr=err)
        except SystemExit as leaving:
            self.status = int(leaving.code or 0)
        except CommandError as error:
            self.status = error.returncode
            err.write(str(error))
        self.out, self.err = out.getvalue().strip(), err.getvalue().strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contacts.csv"


def people() -> list[tuple[str, str, str]]:
    everybody = sorted(Contact.objects.all(), key=lambda contact: contact.email)
    return [(each.name, each.email, str(each.company or "")) for each in everybody]


def test_every_row_becomes_a_contact(file: Path) -> None:
    file.write_text(
        "name,email,company\nMaria,MARIA@c.test,Northwind\nThomas,thomas@c.test,Northwind\nHanna,h@c.test,\n"
    )
    outcome = Outcome(file)
    assert (outcome.status, outcome.out, outcome.err) == (0, "3 added, 0 updated, 0 refused", "")
    assert people() == [
        ("Hanna", "h@c.test", ""),
        ("Maria", "maria@c.test", "Northwind"),
        ("Thomas", "thomas@c.test", "Northwind"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_a_line_end_ends_a_row(file: Path, end: str) -> None:
    lines = ["name,email", "Anna\u2028Bell,a@c.test", "Carl\x0bDix,c@c.test", "Ed\x85,e@c.test", "Oops,nobody"]
    file.write_bytes(end.join(lines).encode())
    outcome = Outcome(file)
    assert outcome.err.startswith("line 5:")
    assert [name for name, _, _ in people()] == ["Anna\u2028Bell", "Carl\x0bDix", "Ed"]


def test_what_spreadsheets_write_is_understood(file: Path) -> None:
    file.write_text('E-Mail;Name;Company\r\nmaria@c.test;"Anders; Maria";Caf\u00e9\r\n\r\n', encoding="utf-8-sig")
    assert Outcome(file).status == 0
    assert people() == [("Anders; Maria", "maria@c.test", "Café")]


def test_a_second_import_updates_and_keeps_a_company_it_does_not_name(file: Path) -> None:
    file.write_text("name,email,company\nMaria,maria@c.test,Northwind\n")
    Outcome(file)
    file.write_text("name,email\nMia,Maria@c.test\n")
    assert Outcome(file).out == "0 added, 1 updated, 0 refused"
    assert people() == [("Mia", "maria@c.test", "Northwind")]


def test_a_cell_may_hold_several_addresses_of_one_contact(file: Path) -> None:
    file.write_text('name,email\nMaria,m@c.test maria@home.test\nThomas,"t@c.test; T+x@c.test,\tthomas@d.test"\n')
    assert Outcome(file).out == "2 added, 0 updated, 0 refused"
    found = {each.name: [str(address) for address in each.addresses.all()] for each in Contact.objects.all()}
    assert found == {"Maria": ["m@c.test", "maria@home.test"], "Thomas": ["t@c.test", "thomas@d.test"]}


def test_a_contact_is_known_by_any_address_and_gains_the_new_ones(file: Path) -> None:
    file.write_text("name,email\nMaria,a@c.test b@c.test\n")
    Outcome(file)
    file.write_text("name,email\nMaria,c@c.test B@c.test\nThomas,d@c.test\nBoth,a@c.test d@c.test\n")
    outcome = Outcome(file)
    assert outcome.out == "1 added, 1 updated, 1 refused"
    assert outcome.err == "line 4: These addresses belong to different contacts: Maria, Thomas."
    assert [str(each) for each in Contact.objects.get(name="Maria").addresses.all()] == [
        "a@c.test",
        "b@c.test",
        "c@c.test",
    ]


def test_bad_rows_are_named_by_line_and_good_ones_come_in(file: Path) -> None:
    file.write_text('name,email\n"two\nlines",nonsense\nMaria,maria@c.test\n,empty@c.test\nThomas\n')
    outcome = Outcome(file)
    assert (outcome.status, outcome.out) == (1, "1 added, 0 updated, 3 refused")
    assert [line.split(":")[0] for line in outcome.err.splitlines()] == ["line 2", "line 5", "line 6"]
    assert "email: Enter a valid email address." in outcome.err
    assert [email for _, email, _ in people()] == ["maria@c.test"]


def test_a_null_character_refuses_its_line_only(file: Path) -> None:
    file.write_text("name,email\nMar\0ia,m@c.test\nThomas,t@c.test\n")
    assert Outcome(file).out == "1 added, 0 updated, 1 refused"


def test_json_is_one_object(file: Path) -> None:
    file.write_text("name,email\nMaria,maria@c.test\nX,nonsense\n")
    assert json.loads(Outcome(file, "--json").out) == {"added": 1, "updated": 0, "refused": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "name and email are missing"),
        (b"name,phone\nMaria,1\n", "email is missing"),
        ("name,email\nJos\u00e9,j@c.test\n".encode("latin-1"), "not UTF-8"),
        (b'name,email\n"' + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_a_file_of_another_kind_is_a_usage_error(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    outcome = Outcome(file)
    assert outcome.status == 2
    assert words in outcome.err
    assert people() == []


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    outcome = Outcome(tmp_path / "none.csv")
    assert outcome.status == 2
    assert "can't be read" in outcome.err


def test_standard_input_is_read_for_a_dash() -> None:
    """In a process of its own, which the shell's exit status and real pipes belong to; it fails at the header."""
    done = subprocess.run(
        [sys.executable, "manage.py", "import_contacts", "-", "--settings=tests.settings"],
        input=b"phone\n1\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"name and email are missing" in done.stderr

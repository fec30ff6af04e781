"""Brings in contacts from a CSV file: name, email (one or several), company."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, transaction

from crm.changes import became_known
from crm.contacts import put_contact
from crm.models import Company, Contact, ContactAddress
from mailaccounts.services.running import ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser

    from crm.contacts import Put

OTHER_NAMES = {"e-mail": "email", "mail": "email", "email address": "email", "e-mail address": "email"}
MAX_FIELD = 100_000  # characters; more is not a cell of ours but a quote that was never closed
REFUSED, USAGE = 1, 2


@dataclass(slots=True)
class Tally:
    """What became of the lines."""

    added: int = 0
    updated: int = 0
    refused: int = 0


class Command(BaseCommand):
    help = (
        "Brings in contacts from a CSV file with the columns name, email and company; - reads standard input. "
        "Several addresses of one contact stand in one cell, separated by spaces, commas or semicolons."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.csv")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Ends in a sentence without a database that is migrated."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError):
            if wrong := ready.foundation():
                raise CommandError(wrong) from None
            raise

    def handle(self, *, file: str, **options: Any) -> None:
        rows = read_rows(read_text(file))
        tally = Tally()
        fresh: set[str] = set()
        with transaction.atomic():
            for line, row in rows:
                try:
                    put = save_row(row)
                except ValidationError as error:
                    tally.refused += 1
                    self.stderr.write(f"line {line}: {in_words(error)}")
                else:
                    tally.added += put.added
                    tally.updated += not put.added
                    fresh |= put.fresh
            became_known(fresh)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(tally)))
        else:
            self.stdout.write(f"{tally.added} added, {tally.updated} updated, {tally.refused} refused")
        if tally.refused:
            sys.exit(REFUSED)


def read_text(file: str) -> str:
    """The file as text, without a byte order mark; CommandError with status 2 when it can't be read."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}.", returncode=USAGE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not UTF-8 text; save it as “CSV UTF-8”.", returncode=USAGE) from None


def read_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the number of its line; CommandError with status 2 for a header that lacks a column."""
    lines = io.StringIO(text, newline="")  # splitlines() would also end a line inside a cell, at U+2028 and its like
    header = lines.readline()
    lines.seek(0)
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(lines, delimiter=";" if header.count(";") > header.count(",") else ",")
    names = [OTHER_NAMES.get(name, name) for name in (cell.strip().lower() for cell in next(reader, []))]
    if missing := [name for name in ("name", "email") if name not in names]:
        verb = "is" if len(missing) == 1 else "are"
        raise CommandError(
            f"The first line must name the columns; {' and '.join(missing)} {verb} missing.", returncode=USAGE
        )
    return _rows(reader, names)


def in_words(error: ValidationError) -> str:
    """What is wrong, with the column where it is about one."""
    columns = error.message_dict.items() if hasattr(error, "error_dict") else [("", error.messages)]
    return " ".join(f"{column}: {text}" if column else text for column, texts in columns for text in texts)


def save_row(row: dict[str, str]) -> Put:
    """Adds or updates the contact. ValidationError says what is wrong with the row."""
    if any("\0" in cell for cell in row.values()):
        raise ValidationError("There is a null character in this line.")
    name, email, company = row["name"], row["email"], row.get("company", "")
    Contact(name=name).clean_fields()
    if company:
        Company(name=company).clean_fields()
    addresses = [each for each in re.split(r"[\s,;]+", email) if each]
    for address in addresses or [""]:
        try:
            ContactAddress(address=address).clean_fields(exclude=["contact"])
        except ValidationError as error:
            raise ValidationError({"email": error.messages}) from None
    return put_contact(name=name, addresses=addresses, company=company)


def _rows(reader: Any, names: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    line = reader.line_num + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CommandError(f"line {line}: {error}.", returncode=USAGE) from None
        if any(cell.strip() for cell in cells):
            padded = [*cells, *[""] * (len(names) - len(cells))]
            yield line, {name: cell.strip() for name, cell in zip(names, padded, strict=False)}
        line = reader.line_num + 1

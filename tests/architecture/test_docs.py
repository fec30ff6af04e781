"""The documents name everything there is, and the README's commands exist."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.urls import URLPattern, URLResolver, get_resolver

from mailaccounts.backends.registry import backends
from mailaccounts.conf import Settings
from mailaccounts.presets import load_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
OUR_COMMANDS = sorted(name for name, app in get_commands().items() if app in {"mailaccounts", "crm"})
EVERYBODYS_OPTIONS = {
    option for action in BaseCommand().create_parser("manage.py", "any")._actions for option in action.option_strings
}


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def environment() -> list[str]:
    """Every variable crm/settings.py reads: the first argument of each call on ``env``."""
    return sorted(
        {
            node.args[0].value
            for node in ast.walk(ast.parse(document("crm/settings.py")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "env"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        }
    )


def pages(patterns: Any = None, route: str = "/") -> Iterator[str]:
    """The addresses of our own pages: not the admin's, not allauth's."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not str(pattern.pattern).startswith(("admin/", "accounts/")):
                yield from pages(pattern.url_patterns, here)
        elif isinstance(pattern, URLPattern) and not str(pattern.pattern).startswith("^"):
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", here)


@pytest.mark.parametrize("name", [field.name.upper() for field in fields(Settings)])
def test_every_setting_is_described(name: str) -> None:
    assert f"`{name}`" in document("docs/settings.md")


@pytest.mark.parametrize("name", environment())
def test_every_environment_variable_is_described(name: str) -> None:
    assert f"`{name}`" in document("docs/settings.md")


def test_the_example_names_only_variables_that_are_read() -> None:
    named = re.findall(r"^#?([A-Z][A-Z_]+)=", document(".env.example"), flags=re.MULTILINE)
    assert named
    assert set(named) <= set(environment())


@pytest.mark.parametrize("name", OUR_COMMANDS)
def test_every_command_is_described_with_its_options(name: str) -> None:
    text = document("docs/operations.md")
    assert f"`{name}" in text or f"manage.py {name}" in text
    command = load_command_class(get_commands()[name], name)
    options = {
        option
        for action in command.create_parser("manage.py", name)._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    missing = {option for option in options - EVERYBODYS_OPTIONS if option not in text}
    assert missing == set()


def test_every_backend_is_described() -> None:
    text = document("docs/backends.md")
    assert [slug for slug in backends() if f"`{slug}`" not in text] == []


@pytest.mark.parametrize("address", sorted(set(pages())))
def test_every_page_is_described(address: str) -> None:
    assert f"`{address}`" in document("docs/pages.md")


def test_the_commands_of_the_documents_are_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", document("Makefile"), flags=re.MULTILINE))
    texts = [document("README.md"), *(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"(?:`|^)make ([a-z]+)", text, flags=re.MULTILINE)}
    assert named <= targets
    assert targets - named == set()


@pytest.mark.parametrize("path", ["README.md", *sorted(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(path: str) -> None:
    here = (ROOT / path).parent
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document(path))
    assert [link for link in links if "://" not in link and not (here / link).exists()] == []


def test_the_preset_of_the_documents_can_be_used(tmp_path: Path) -> None:
    example = re.search(r"```json\n(.*?)```", document("docs/providers.md"), flags=re.DOTALL)
    assert example
    (tmp_path / "presets.json").write_text(example[1])
    assert [preset.slug for preset in load_extra(tmp_path / "presets.json")] == ["example"]


def test_the_units_give_workers_the_time_their_jobs_may_take() -> None:
    blocks = re.findall(r"```ini\n(.*?)```", document("docs/deploying.md"), flags=re.DOTALL)
    workers = next(block for block in blocks if "qcluster" in block)
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", workers, flags=re.MULTILINE)
    assert seconds
    assert int(seconds[1]) > settings.Q_CLUSTER["timeout"]
    assert all("KillMode=mixed" in block for block in blocks if "ExecStart" in block)

"""What another CRM installs: the wheel has the app, its templates and static files, and not the CRM or the tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Built from a copy, since setuptools leaves a build directory behind."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "mailaccounts"):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", directory, source], check=True, timeout=300
    )
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as opened:
        yield opened


def test_every_file_of_the_app_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "mailaccounts").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - set(wheel.namelist()) == set()
    assert "mailaccounts/py.typed" in wheel.namelist()
    assert any(name.startswith("mailaccounts/templates/") for name in wheel.namelist())


def test_nothing_else_is(wheel: zipfile.ZipFile) -> None:
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert roots == {"mailaccounts", "django_mailaccounts-0.1.0.dist-info"}

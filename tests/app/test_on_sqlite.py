"""Models, constraints, lease, store and the directory work on SQLite too, which `make demo` runs on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = (
    "sealed_field",
    "models_constraints",
    "append_only",
    "lookups",
    "lease",
    "store",
    "summaries",
    "queue",
    "watch_claims",
    "email_backend",
)
CRM = ("erasing", "folding", "known_addresses", "timeline")
FILES = [*(f"tests/app/test_{name}.py" for name in APP), *(f"tests/crm/test_{name}.py" for name in CRM)]


def test_the_model_tests_pass_on_sqlite(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-cov", *FILES],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": f"sqlite:///{tmp_path}/test.sqlite3", "PYTEST_XDIST_WORKER": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout
    assert " skipped" not in run.stdout

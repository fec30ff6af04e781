"""The demo's story ends well, and doesn't when the product didn't keep its promises."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from crm.demo.start import start
from crm.demo.story import Story, play
from crm.demo.supervisor import Supervisor
from crm.demo.table import Step
from crm.demo.visitor import StoryFailed
from crm.demo.world import PROJECT, World
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINIMAL = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def test_the_headless_story_ends_well_in_a_clone_without_settings(tmp_path: Path) -> None:
    where = ["--directory", str(tmp_path / "world"), "--port", str(free_port())]
    command = [sys.executable, "manage.py", "demo", "--headless", *where]
    done = subprocess.run(command, cwd=PROJECT, env=MINIMAL, capture_output=True, text=True, timeout=500, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["story"] == "ok"
    assert (outcome["lost"], outcome["doubled"], outcome["downloaded_again"]) == (0, 0, 0)
    assert outcome["examined"] > 300
    assert 30 < outcome["stored"] < outcome["examined"] / 2
    assert outcome["bodies_fetched"] == outcome["stored"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A demo whose user has connected the mailbox and switched it to OAuth."""
    world = World(tmp_path_factory.mktemp("demo") / "world")
    with world.taken():
        world.clear()
        with Supervisor(world.logs) as supervisor:
            story = Story(start(supervisor, world, port=free_port(), imap="pymap", say=lambda text: None))
            story.sign_in(Step("Sign in to the CRM"))
            story.connect(Step("Connect the mailbox by password"))
            story.preview(Step("Ask what would be stored"))
            story.see_the_first_sync(Step("First sync by the worker"))
            story.switch(Step("Switch to OAuth"))
            story.sync_without_news(Step("Sync again"))
            yield story


@contextmanager
def changed(story: Story, *, column: str, of: str, to: object) -> Iterator[None]:
    """Changes a column of a stored message behind the product's back, for a while."""
    with closing(sqlite3.connect(story.running.world.directory / "demo.sqlite3", timeout=30)) as store:
        query = f"SELECT id, {column} FROM mailaccounts_message WHERE message_id = ?"  # noqa: S608 - our own column
        ((row, before),) = store.execute(query, (of,)).fetchall()
        update = f"UPDATE mailaccounts_message SET {column} = ? WHERE id = ?"  # noqa: S608 - our own column
        store.execute(update, (to, row))
        store.commit()
        try:
            yield
        finally:
            store.execute(update, (before, row))
            store.commit()


@pytest.fixture
def two(story: Story) -> list[str]:
    """The Message-IDs of two messages that belong in the store."""
    return [message_id for message_id in story.truth.expected if message_id][:2]


def test_an_honest_store_agrees_with_the_server(story: Story) -> None:
    step = Step("Compare server and store")
    story.compare(step)
    assert "as on the server" in step.result


def test_a_lost_message_is_noticed(story: Story, two: list[str]) -> None:
    with (
        changed(story, column="account_id", of=two[0], to=-1),
        pytest.raises(StoryFailed, match="1 lost, 0 doubled, 0 that don't belong"),
    ):
        story.compare(Step(""))


def test_a_doubled_message_is_noticed(story: Story, two: list[str]) -> None:
    with (
        changed(story, column="message_id", of=two[0], to=two[1]),
        pytest.raises(StoryFailed, match="1 lost, 1 doubled, 0 that don't belong"),
    ):
        story.compare(Step(""))


def test_mail_that_nobody_asked_to_store_is_noticed(story: Story, two: list[str]) -> None:
    with (
        changed(story, column="message_id", of=two[0], to="somebody-else@elsewhere.test"),
        pytest.raises(StoryFailed, match="1 lost, 0 doubled, 1 that don't belong"),
    ):
        story.compare(Step(""))


def test_a_story_that_fails_says_where_and_exits_with_1(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(story.running) == 1  # the mailbox is connected already
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert outcome["story"] == "failed"
    assert outcome["step"] == "Try a wrong password"
    assert "already_connected" in outcome["error"]


def test_a_cursor_that_forgets_is_noticed_after_the_switch(story: Story) -> None:
    with closing(sqlite3.connect(story.running.world.directory / "demo.sqlite3", timeout=30)) as store:
        store.execute("UPDATE mailaccounts_folder SET last_uid = last_uid - 5 WHERE last_uid > 5")
        store.commit()
    with pytest.raises(StoryFailed, match="nothing is examined again"):
        story.sync_without_news(Step(""))

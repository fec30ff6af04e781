"""A real browser on the CRM, with the sandbox's servers behind it and a worker beside it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect, sync_playwright

from mailaccounts.testing.sandbox.registrations import PROVIDERS
from tests.browser.person import PASSWORD, PATIENCE, Person
from tests.crm_process import Cluster, environment
from tests.sandbox_crm import world_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from pytest_django.fixtures import SettingsWrapper
    from pytest_django.live_server_helper import LiveServer

    from mailaccounts.testing.sandbox import Sandbox

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the system's own."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.fail("The browser tests need Chromium: apt-get install chromium", pytrace=False)
    expect.set_options(timeout=PATIENCE)
    options = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium refuses to run as root with its sandbox
    with pytest.MonkeyPatch.context() as patch:
        # Playwright runs an event loop in this thread, which Django takes for an async view's; the tests are not.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=options)
            yield browser
            browser.close()


@pytest.fixture
def world(sandbox: Sandbox, settings: SettingsWrapper) -> Iterator[Sandbox]:
    """The sandbox, with the CRM placed in it; every fault is put back afterwards."""
    settings.MAILACCOUNTS = world_of(sandbox, settings.MAILACCOUNTS)
    yield sandbox
    sandbox.idp.faults.reset()


@pytest.fixture
def every_provider(world: Sandbox, settings: SettingsWrapper) -> Sandbox:
    """The same, registered with each of the sandbox's providers."""
    settings.MAILACCOUNTS = world_of(world, settings.MAILACCOUNTS, providers=PROVIDERS)
    return world


@pytest.fixture
def worker(live_server: LiveServer, world: Sandbox, tmp_path: Path) -> Iterator[Cluster]:
    """`manage.py qcluster` in the same world, on the same database."""
    with Cluster(tmp_path / "worker.log", env=environment(**world.environment())) as cluster:
        yield cluster


@pytest.fixture
def new_person(browser: Browser, live_server: LiveServer, world: Sandbox) -> Iterator[Callable[..., Person]]:
    """Makes a user of the CRM in front of a browser; options are those of a browser context."""
    contexts = []

    def make(username: str = "anna", **options: object) -> Person:
        user = get_user_model().objects.create_user(username, password=PASSWORD)
        context = browser.new_context(
            ignore_https_errors=True,  # the sandbox's provider has a certificate of its own authority
            reduced_motion="reduce",  # or axe would judge colours on their way from one to another
            base_url=live_server.url,
            **options,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return Person(user, context.new_page(), home=live_server.url)

    yield make
    for context in contexts:
        context.close()

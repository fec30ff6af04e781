"""The demo's command line: sets the world up, then opens it to a person or plays the story through."""

from __future__ import annotations

import argparse
import imaplib
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from crm.demo.guide import describe, write_new_mail
from crm.demo.start import start
from crm.demo.story import play
from crm.demo.supervisor import Stopped, Supervisor, limited, stop_on_signals
from crm.demo.world import PROJECT, DemoError, World

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
NEEDED = ("aiosmtpd", "oauth2_provider", "pymap", "trustme", "waitress")  # the extra “sandbox”
STORY_SECONDS = 100.0
TROUBLE = (DemoError, requests.RequestException, imaplib.IMAP4.error, OSError, ValueError)


def main(arguments: Sequence[str]) -> int:
    """Runs the demo until it is stopped, or with --headless to the end of its story; the exit status."""
    options = _parser().parse_args(arguments)
    world = World(options.directory.absolute())
    try:
        _require_sandbox()
        with world.taken():
            world.clear()
            stop_on_signals()
            with Supervisor(world.logs) as supervisor:
                if options.headless:
                    with limited(STORY_SECONDS):
                        return play(start(supervisor, world, port=options.port, imap=options.imap, say=_say))
                running = start(supervisor, world, port=options.port, imap=options.imap, say=_say)
                sys.stdout.write(f"{describe(running)}\n")
                sys.stdout.flush()
                supervisor.watch(on_enter=lambda: _say(write_new_mail(running)))
    except Stopped:
        _say("\nEverything is stopped.")
        return 0
    except TROUBLE as error:
        what = str(error) or type(error).__name__
        _say(f"\nThe demo failed. {what}")
        if options.headless:
            sys.stdout.write(json.dumps({"story": "failed", "error": what.splitlines()[0]}) + "\n")
        return FAILED
    return 0


def _require_sandbox() -> None:
    """DemoError where only the product is installed, without what the world around it is made of."""
    if any(find_spec(name) is None for name in NEEDED):
        raise DemoError("The demo needs more than the CRM does. Run make demo, or pip install '.[sandbox]' first.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manage.py demo",
        description="Opens the product on a world of its own: a database, a local mail server, a local identity "
        "provider, a web server and a worker. Every run makes a new world.",
    )
    parser.add_argument("--headless", action="store_true", help="play the whole story through HTTP, and exit")
    parser.add_argument("--port", type=_port, default=8000, help="of the CRM; the next free one is taken (8000)")
    parser.add_argument(
        "--directory", type=Path, default=PROJECT / ".demo", help="where everything is kept (.demo in the project)"
    )
    parser.add_argument("--imap", choices=("pymap", "dovecot"), default="pymap", help="the IMAP server (pymap)")
    return parser


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a number from 1 to 65535")
    return port


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

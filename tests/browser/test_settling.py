"""A part of a page is replaced by itself: what a script has given its element a look with makes the browser complain
of nothing, though the policy lets no style in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import mailaccounts
from mailaccounts.services.connecting.disconnect import Reason, cut
from tests.app.builders import make_account, make_credential
from tests.browser.person import WIDE
from tests.crm.builders import store_message
from tests.letters import CONTACT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.person import Person

LOOK = "element => { element.style.minHeight = '1px'; element.dataset.before = 'yes' }"


@pytest.mark.django_db(transaction=True)
def test_an_element_that_a_script_has_styled_is_replaced_without_a_complaint(
    new_person: Callable[..., Person],
) -> None:
    """htmx gives the new element the old one's attributes for a moment: "style" among them, unless told otherwise."""
    anna = new_person(viewport=WIDE)
    account = make_credential(make_account(anna.user)).account
    store_message(account, sender=CONTACT, to=account.address)
    anna.sign_in()
    entry = cut(account.pk, reason=Reason.ASKED, actor=anna.user, erase_mail=True)
    assert entry is not None
    anna.page.goto(f"/settings/email-accounts/receipts/{entry.pk}/")
    receipt = anna.page.locator("#receipt")
    receipt.evaluate(LOOK)
    expect(anna.page.locator("#receipt[data-before]")).to_have_count(0)  # it asks every two seconds how far it is
    anna.page.wait_for_function("!document.querySelector('.htmx-settling, .htmx-swapping, .htmx-request')")
    assert anna.complaints == []


def test_pages_without_a_hosts_frame_tell_htmx_the_same() -> None:
    """The app's own frame and that of the CRM."""
    ours = Path(mailaccounts.__file__).parent / "templates" / "mailaccounts" / "base.html"
    frames = (ours, Path(mailaccounts.__file__).parents[1] / "templates" / "page.html")
    told = [next(line.strip() for line in frame.read_text().splitlines() if "htmx-config" in line) for frame in frames]
    assert told[0] == told[1]

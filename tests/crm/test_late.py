"""Contacts who are added later: the mail that is there already comes to them, and their page tells how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from crm.contacts import remove_contact, save_contact, set_addresses, set_domains
from crm.models import Company, Contact, TimelineEntry
from mailaccounts.models import DirectoryChange, MailAccount
from mailaccounts.services.people import directory
from mailaccounts.signals import people_changed
from tests.app.builders import make_account, make_user
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

MARIA = "maria@c.test"


def follow() -> None:
    """What workers do with what changed."""
    for change in DirectoryChange.objects.filter(told_at=None):
        assert directory.retell(change.pk)


def whose() -> list[tuple[str, str]]:
    """On whose timelines messages are: (name, subject), sorted."""
    rows = TimelineEntry.objects.select_related("contact", "company", "message")
    return sorted((str(each.contact or each.company), each.message.subject) for each in rows)


def test_mail_of_a_companys_domain_goes_to_the_contact_who_is_added_later() -> None:
    account = make_account()
    make_company("c.test")
    store_message(account, sender=MARIA, to=account.address, subject="From Maria")
    store_message(account, sender="jim@c.test", to=account.address, subject="From Jim")
    assert whose() == [("Northwind", "From Jim"), ("Northwind", "From Maria")]
    save_contact(name="Maria", addresses=[MARIA])
    follow()
    assert whose() == [("Maria", "From Maria"), ("Northwind", "From Jim")]


def test_mail_with_an_address_that_is_taken_away_leaves_the_contacts_timeline() -> None:
    account, maria = make_account(), make_contact(MARIA, "old@c.test")
    store_message(account, sender="old@c.test", to=account.address, subject="Once")
    store_message(account, sender="Old@c.test".lower(), to=MARIA, subject="Both")
    set_addresses(maria, [MARIA])
    follow()
    assert whose() == [("Maria Anders", "Both")]


def test_mail_with_a_contact_who_is_removed_goes_back_to_the_company() -> None:
    account, maria = make_account(), make_contact(MARIA)
    make_company("c.test")
    store_message(account, sender=MARIA, to=account.address, subject="From Maria")
    assert remove_contact(maria)
    follow()
    assert whose() == [("Northwind", "From Maria")]


def test_mail_with_a_domain_that_is_taken_away_leaves_the_companys_timeline() -> None:
    account, company = make_account(), make_company("c.test", "d.test")
    store_message(account, sender=MARIA, to=account.address)
    change = set_domains(company, ["d.test"])
    assert change is not None
    assert change.patterns == ["@c.test"]
    follow()
    assert whose() == []


def test_a_receiver_that_fails_is_called_again_and_nothing_is_told_twice_then(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_account()
    monkeypatch.setattr(directory, "BATCH", 1)
    ids = [store_message(account, sender=MARIA, to=account.address).pk for _ in range(3)]
    told: list[int] = []

    def receiver(*, message_ids: list[int], **_: Any) -> None:
        if message_ids == ids[1:2] and told == ids[:1]:
            told.append(0)
            raise RuntimeError
        told.extend(message_ids)

    people_changed.connect(receiver)
    try:
        save_contact(name="Maria", addresses=[MARIA])
        change = DirectoryChange.objects.get()
        with pytest.raises(RuntimeError):
            directory.retell(change.pk)
        assert directory.enqueue_due() == 1
        assert directory.retell(change.pk)
    finally:
        people_changed.disconnect(receiver)
    assert told == [ids[0], 0, *ids[1:]]
    assert directory.enqueue_due() == 0


def test_what_was_known_before_is_not_looked_for_again() -> None:
    save_contact(name="Maria", addresses=[MARIA])
    save_contact(name="Maria", addresses=[MARIA.upper(), "maria+x@c.test"])
    assert DirectoryChange.objects.count() == 1


def test_an_import_is_one_change_however_many_contacts_it_brings(tmp_path: Any) -> None:
    (tmp_path / "c.csv").write_text("name,email\nA,a@c.test\nB,b@c.test c@c.test\n")
    call_command("import_contacts", str(tmp_path / "c.csv"))
    assert [change.patterns for change in DirectoryChange.objects.all()] == [["a@c.test", "b@c.test", "c@c.test"]]


def test_what_the_admin_adds_and_deletes_is_followed_too(admin_client: Client) -> None:
    typed = {
        "name": "Northwind",
        "domains-TOTAL_FORMS": "1",
        "domains-INITIAL_FORMS": "0",
        "domains-0-domain": "c.test",
    }
    assert admin_client.post(reverse("admin:crm_company_add"), typed).status_code == 302
    company = Company.objects.get()
    assert (
        admin_client.post(reverse("admin:crm_company_delete", args=[company.pk]), {"post": "yes"}).status_code == 302
    )
    changes = DirectoryChange.objects.order_by("pk").values_list("patterns", "added")
    assert list(changes) == [(["@c.test"], True), (["@c.test"], False)]


def test_the_contacts_page_tells_how_far_it_is_until_all_mailboxes_are_done(client: Client) -> None:
    user = make_user()
    for status in ("ok", "waiting", "needs_owner", "disconnected"):
        make_account(user, status=status)
    make_account(user, looks_back=False)
    save_contact(name="Maria", addresses=[MARIA])
    maria = Contact.objects.get()
    client.force_login(user)
    assert "Looking for earlier mail with Maria: 0 of 2 mailboxes done" in client.get(f"/contacts/{maria.pk}/").text
    fragment = client.get(f"/contacts/{maria.pk}/looking/")
    assert "0 of 2" in fragment.text
    assert "<html" not in fragment.text
    MailAccount.objects.update(looked_for=DirectoryChange.objects.get().pk)
    assert client.get(f"/contacts/{maria.pk}/looking/").headers["HX-Refresh"] == "true"
    assert "Looking for earlier mail" not in client.get(f"/contacts/{maria.pk}/").text


def test_a_change_that_everybody_has_followed_is_forgotten_after_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_account()
    save_contact(name="Maria", addresses=[MARIA])
    follow()
    monkeypatch.setattr(directory, "KEPT", directory.KEPT * 0)
    directory.enqueue_due()
    assert DirectoryChange.objects.exists()
    MailAccount.objects.filter(pk=account.pk).update(looked_for=DirectoryChange.objects.get().pk)
    directory.enqueue_due()
    assert not DirectoryChange.objects.exists()
    assert Contact.objects.get().addresses.get().late_search is None

"""What nobody known justifies any more: it is counted, and erased in the background."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from crm.contacts import remove_contact, save_contact
from crm.models import Contact, TimelineEntry
from mailaccounts.models import AuditEntry, DirectoryChange, Erasing, Message, Preview, Thread, Why
from mailaccounts.services.people import directory, forgetting, justified
from mailaccounts.services.people.justified import Unjustified
from mailaccounts.services.storing import removal
from tests.app.builders import make_account, make_outgoing, make_user
from tests.crm.builders import make_company, make_contact, store_message

if TYPE_CHECKING:
    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

MARIA = "maria@c.test"


@pytest.fixture
def account() -> MailAccount:
    return make_account(address="me@us.test")


def test_mail_with_somebody_who_was_removed_is_counted_and_erased(account: MailAccount) -> None:
    maria, thomas = make_contact(MARIA), make_contact("thomas@c.test")
    store_message(account, sender=MARIA, to=account.address)
    kept = store_message(account, sender="thomas@c.test", to=account.address)
    maria.delete()
    assert justified.count([MARIA]) == Unjustified(messages=1, conversations=1)
    erasing = forgetting.begin([MARIA], why=Why.REMOVED, asked_by=account.owner)
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [kept]
    assert Thread.objects.count() == 1
    assert TimelineEntry.objects.filter(contact=thomas).count() == 1


def test_a_conversation_that_another_contact_takes_part_in_is_justified_as_a_whole(account: MailAccount) -> None:
    maria = make_contact(MARIA)
    make_contact("thomas@c.test")
    asked = store_message(account, sender=MARIA, to=account.address)
    store_message(account, sender=account.address, to="thomas@c.test", thread=asked.thread)
    maria.delete()
    assert justified.count([MARIA]) == Unjustified()


def test_whose_address_a_company_has_is_still_known(account: MailAccount) -> None:
    maria = make_contact(MARIA)
    make_company("c.test")
    store_message(account, sender=MARIA, to=account.address)
    maria.delete()
    assert justified.count([MARIA]) == Unjustified()


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("Maria@Bücher.test", "maria+news@xn--bcher-kva.test"),
        ("maria@xn--bcher-kva.test", "maria+a@bücher.test"),
        ("@bücher.example", "sales@eu.xn--bcher-kva.example"),
        ("a_b@c.test", "a_b+x@c.test"),
    ],
)
def test_an_address_is_found_however_it_is_written(account: MailAccount, pattern: str, written: str) -> None:
    store_message(account, sender=written, to=account.address)
    for other in ("mario@xn--bcher-kva.test", "maria@xxn--bcher-kva.test", "axb@c.test", "maria@bücher.test.evil"):
        store_message(account, sender=other, to=account.address)
    assert justified.count([pattern]).messages == 1


def test_a_count_that_takes_too_long_says_so(account: MailAccount) -> None:
    store_message(account, sender=MARIA, to=account.address)
    assert justified.count([MARIA], seconds=-1) == Unjustified(complete=False)


def test_counting_asks_the_host_once_for_many_conversations(
    account: MailAccount, django_assert_num_queries: Any
) -> None:
    for _ in range(20):
        store_message(account, sender=MARIA, to=account.address)
    with django_assert_num_queries(5):
        assert justified.count([MARIA]).messages == 20


def test_in_the_mailboxes_of_one_owner_nobody_elses_mail_is_erased(account: MailAccount) -> None:
    other = store_message(make_account(), sender=MARIA, to="you@us.test")
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.BLOCKED, asked_by=account.owner, owner=account.owner)
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [other]


def test_an_account_that_a_worker_has_waits_for_the_next_tick(account: MailAccount) -> None:
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.REMOVED, asked_by=None)
    account.lease_owner, account.lease_until = "somebody", timezone.now() + timedelta(minutes=1)
    account.save()
    assert not forgetting.go_on(erasing.pk)
    assert Message.objects.count() == 1
    account.lease_owner = ""
    account.save()
    assert forgetting.enqueue_due() == 1
    assert forgetting.go_on(erasing.pk)
    assert not Message.objects.exists()


def test_what_takes_longer_than_a_job_may_goes_on_with_the_next(
    account: MailAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "MESSAGES", 2)
    thread = store_message(account, sender=MARIA, to=account.address).thread
    for _ in range(4):
        store_message(account, sender=MARIA, to=account.address, thread=thread)
    erasing = forgetting.begin([MARIA], why=Why.REMOVED, asked_by=None)
    assert not forgetting.go_on(erasing.pk, seconds=-1)
    assert Message.objects.count() == 5
    assert forgetting.go_on(erasing.pk)
    erasing.refresh_from_db()
    assert (erasing.messages, erasing.done, erasing.total) == (5, 1, 1)
    assert not Thread.objects.exists()


def test_one_worker_at_a_time_erases(account: MailAccount) -> None:
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.REMOVED, asked_by=None)
    Erasing.objects.update(worked_until=Now() + timedelta(minutes=1))
    assert not forgetting.go_on(erasing.pk)
    assert Message.objects.exists()


def test_once_it_is_over_owners_can_read_what_became_of_their_mail_and_nobody_whom_it_was_with(
    account: MailAccount,
) -> None:
    boss = make_user()
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.BARRED, asked_by=boss)
    assert forgetting.go_on(erasing.pk)
    entry = AuditEntry.objects.get(account=account.pk)
    assert (entry.action, entry.actor, entry.owner) == ("erased", boss, account.owner)
    assert entry.facts == {"why": "barred", "messages": 1}
    erasing.refresh_from_db()
    assert (erasing.patterns, erasing.done_at is not None) == ([], True)


def test_a_sync_at_work_may_store_what_is_to_be_erased_and_is_waited_for(account: MailAccount) -> None:
    maria = make_contact(MARIA)
    account.lease_owner, account.lease_until = "somebody", timezone.now() + timedelta(minutes=1)
    account.save()
    maria.delete()
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)
    assert not forgetting.go_on(erasing.pk)
    store_message(account, sender=MARIA, to=account.address)
    account.lease_owner = "the next one, which knows nobody any more"[:32]
    account.save()
    assert not forgetting.go_on(erasing.pk)
    account.lease_owner = ""
    account.save()
    assert forgetting.go_on(erasing.pk)
    assert not Message.objects.exists()


def test_another_sync_that_began_later_is_not_waited_for(account: MailAccount) -> None:
    other = make_account(lease_owner="somebody", lease_until=timezone.now() + timedelta(minutes=1))
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.REMOVED, asked_by=None)
    assert not forgetting.go_on(erasing.pk)
    other.lease_owner = "somebody else"
    other.save()
    assert forgetting.go_on(erasing.pk)


def test_what_quotes_a_person_goes_with_what_it_quotes_once_it_is_not_about_to_be_sent(account: MailAccount) -> None:
    make_contact("thomas@c.test")
    letter = store_message(account, sender=MARIA, to=account.address, subject="About my divorce")
    answer = store_message(account, sender="thomas@c.test", to=account.address, thread=letter.thread, subject="Lunch")
    make_outgoing(account, in_reply_to=letter, body_text="> I am ill")
    make_outgoing(account, forwards=letter).enclosed.create(position=0, name="diagnosis.pdf", content=b"%PDF")
    in_the_post = {"raw": b"...", "queued_at": timezone.now()}
    make_outgoing(account, forwards=letter, state="uncertain", **in_the_post)
    kept = make_outgoing(account, in_reply_to=answer)
    posted = make_outgoing(account, forwards=letter, state="queued", **in_the_post)
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)
    assert not forgetting.go_on(erasing.pk), "somebody is about to get it"
    assert Message.objects.count() == 2
    posted.state, posted.sent_at, posted.filing, posted.raw = "sent", timezone.now(), "done", None
    posted.save()
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [answer]
    assert list(account.outgoing.all()) == [kept]
    assert Thread.objects.get().subject == "Lunch"


def test_what_is_sent_while_a_person_is_erased_has_its_turn_with_what_it_quotes(account: MailAccount) -> None:
    first, answered = (store_message(account, sender=MARIA, to=account.address) for _ in range(2))
    in_the_post = {"raw": b"...", "queued_at": timezone.now()}
    posted = make_outgoing(account, in_reply_to=answered, state="sending", **in_the_post)
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)

    def is_sent_meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        done = execute(sql, *rest)
        if 'INTO "mailaccounts_forgotten"' in sql:
            sent = type(posted).objects.filter(pk=posted.pk)
            sent.update(state="sent", sent_at=timezone.now(), filing="done", raw=None)
        return done

    with connection.execute_wrapper(is_sent_meanwhile):
        assert not forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [answered]
    assert forgetting.go_on(erasing.pk)
    assert set(account.forgotten.values_list("fingerprint", flat=True)) == {first.fingerprint, answered.fingerprint}
    assert not account.outgoing.exists()


def test_of_a_person_everything_goes_even_what_was_written_to_them(account: MailAccount) -> None:
    make_contact("thomas@c.test")
    message = store_message(account, sender=MARIA, to=account.address)
    other = store_message(account, sender="thomas@c.test", to=account.address, thread=message.thread)
    make_outgoing(account).recipients.create(role="to", position=0, address="Maria@C.test")
    Preview.objects.create(account=make_account(), asked_at=timezone.now(), people=[[MARIA, 7]])
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [other]
    assert not account.outgoing.exists()
    assert not Preview.objects.exists()


def test_what_comes_of_a_person_who_is_added_again_meanwhile_stays_and_they_are_looked_for(
    account: MailAccount,
) -> None:
    save_contact(name="Maria", addresses=[MARIA, "maria@home.test"])
    before = make_outgoing(account)
    before.recipients.create(role="to", position=0, address=MARIA)
    store_message(account, sender=MARIA, to=account.address)
    Contact.objects.get().delete()
    erasing = forgetting.begin([MARIA, "maria@home.test"], why=Why.PERSON, asked_by=None)
    save_contact(name="Maria", addresses=[MARIA])
    kept = store_message(account, sender=MARIA, to=account.address)
    store_message(account, sender="maria@home.test", to=f"{account.address}, {MARIA}")
    written = make_outgoing(account)
    written.recipients.create(role="to", position=0, address=MARIA)
    assert forgetting.go_on(erasing.pk)
    assert list(Message.objects.all()) == [kept]
    assert list(account.outgoing.all()) == [written]
    assert account.forgotten.count() == 2
    assert [change.patterns for change in directory.pending(account)] == [[MARIA]]


def test_who_was_added_again_meanwhile_and_removed_again_is_erased_and_forgotten(account: MailAccount) -> None:
    store_message(account, sender=MARIA, to=account.address)
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)
    save_contact(name="Maria", addresses=[MARIA])
    store_message(account, sender=MARIA, to=account.address)
    remove_contact(Contact.objects.get())
    assert forgetting.go_on(erasing.pk)
    assert not Message.objects.exists()
    assert not DirectoryChange.objects.exists()


def test_no_word_of_a_persons_mail_stays_in_the_index_of_the_search(account: MailAccount) -> None:
    for word in ("nothing", "zebrafish", "much"):
        store_message(account, sender=MARIA, to=account.address, body_text=word)
    erasing = forgetting.begin([MARIA], why=Why.PERSON, asked_by=None)
    assert forgetting.go_on(erasing.pk)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT block FROM mailaccounts_message_search_data")
            assert not any(b"zebrafish" in bytes(block) for (block,) in cursor.fetchall())

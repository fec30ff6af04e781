"""Campaigns: who is in one, pilot first, then the rest; paused, tried again, cancelled, taken back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.utils import timezone

from mailaccounts import tasks
from mailaccounts.errors import NobodyMoves
from mailaccounts.models import MigrationRun, MigrationStep
from mailaccounts.services.campaigns import campaign, campaign_work
from mailaccounts.services.campaigns.campaign import Selection
from mailaccounts.services.moving import resume, steps
from tests.app.builders import make_account, make_client, make_credential
from tests.app.campaigns import make_campaign, make_movable, make_owner, step_of

if TYPE_CHECKING:
    from pytest_django import DjangoCaptureOnCommitCallbacks

pytestmark = pytest.mark.django_db


def states(run: MigrationRun) -> dict[str, str]:
    return dict(run.steps.values_list("address", "state"))


def work() -> None:
    """What the tick and the workers would do."""
    resume.resume_due()
    campaign_work.enqueue_due()
    started = MigrationStep.objects.filter(next_at__isnull=False, account__isnull=False)
    for account in started.values_list("account", flat=True):
        campaign_work.work_on(account)


def chosen(**by: Any) -> set[str]:
    return {account.address for account in Selection(**by).accounts()}


# --- who is in it ------------------------------------------------------------------------------------------------


def test_accounts_are_chosen_by_provider_domain_sign_in_and_list() -> None:
    make_movable("anna@outlook.com", imap_host="outlook.office365.com")
    make_movable("ben@company.test", imap_host="outlook.office365.com")
    make_credential(make_account(address="cleo@company.test"), backend="app_password")
    everybody = {"anna@outlook.com", "ben@company.test", "cleo@company.test"}
    assert chosen() == everybody
    assert chosen(provider="microsoft") == {"anna@outlook.com", "ben@company.test"}
    assert chosen(domain="company.test") == chosen(domain="@Company.test") == everybody - {"anna@outlook.com"}
    assert chosen(backend="app_password") == {"cleo@company.test"}
    assert chosen(addresses=("Anna@Outlook.com", "nobody@company.test")) == {"anna@outlook.com"}
    assert chosen(provider="microsoft", domain="company.test") == {"ben@company.test"}


def test_addresses_that_are_no_account_are_told() -> None:
    make_movable("anna@company.test")
    named = Selection(addresses=("anna@company.test", "nobody@company.test", "nobody@company.test"))
    assert named.unknown(named.accounts()) == ["nobody@company.test"]


def test_a_campaign_has_a_step_for_each_account_that_can_move() -> None:
    anna, disconnected = make_movable("anna@org.test"), make_account(status="disconnected")
    run = make_campaign(anna, disconnected, pilot={anna.pk})
    assert states(run) == {"anna@org.test": "chosen"}
    step = run.steps.get()
    assert (step.pilot, step.before, step.next_at) == (True, "password", None)
    assert not run.by_owner


def test_a_campaign_of_nobody_is_none() -> None:
    with pytest.raises(NobodyMoves):
        make_campaign(make_account(status="disconnected"))
    assert not MigrationRun.objects.exists()


def test_pilots_are_drawn_beside_those_that_were_chosen() -> None:
    accounts = [make_movable() for _ in range(6)]
    run = make_campaign(*accounts, pilot={accounts[0].pk}, random_pilots=2)
    assert run.steps.filter(pilot=True).count() == 3
    assert step_of(run, accounts[0]).pilot
    assert make_campaign(make_movable(), random_pilots=50).steps.filter(pilot=True).count() == 1


def test_the_first_announced_end_is_the_deadline() -> None:
    soon = make_movable("anna@outlook.com", imap_host="outlook.office365.com")
    run = make_campaign(soon, make_movable())
    assert isinstance(run.deadline, date)


def test_an_account_that_failed_elsewhere_moves_with_the_new_campaign() -> None:
    account = make_movable()
    before = make_campaign(account)
    MigrationStep.objects.filter(run=before).update(state="failed", code="provider_unavailable")
    run = make_campaign(account)
    assert states(before) == {account.address: "cancelled"}
    assert states(run) == {account.address: "chosen"}


# --- starting ----------------------------------------------------------------------------------------------------


def test_nothing_starts_before_somebody_says_so() -> None:
    run = make_campaign(make_movable("anna@org.test"))
    work()
    assert states(run) == {"anna@org.test": "chosen"}
    assert mail.outbox == []


def test_the_pilot_group_goes_first_then_the_rest() -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    run = make_campaign(anna, ben, pilot={anna.pk})
    assert campaign.start(run, pilot_only=True) == 1
    work()
    assert states(run) == {"anna@org.test": "invited", "ben@org.test": "chosen"}
    assert campaign.start(run, pilot_only=False) == 1
    work()
    assert states(run) == {"anna@org.test": "invited", "ben@org.test": "invited"}
    assert [message.to for message in mail.outbox] == [[anna.owner.email], [ben.owner.email]]


def test_two_administrators_start_the_rest_and_everybody_is_invited_once() -> None:
    accounts = [make_movable() for _ in range(3)]
    run = make_campaign(*accounts)
    assert campaign.start(run, pilot_only=False) == 3
    assert campaign.start(MigrationRun.objects.get(pk=run.pk), pilot_only=False) == 0
    work()
    work()
    for account in accounts:  # a second worker that was given the same job
        campaign_work.work_on(account.pk)
    assert len(mail.outbox) == 3


def test_starting_queues_one_job_however_many_accounts(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    run = make_campaign(*(make_movable() for _ in range(5)))
    with django_capture_on_commit_callbacks() as queued:
        campaign.start(run, pilot_only=False)
    assert len(queued) == 1
    with django_capture_on_commit_callbacks() as queued:
        assert campaign_work.enqueue_due() == 5
    assert len(queued) == 5
    assert campaign_work.enqueue_due() == 0  # they are somebody's by now


def test_the_tick_queues_what_was_started_and_sends_the_reminders() -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    run = make_campaign(anna, ben, pilot={anna.pk})
    campaign.start(run, pilot_only=True)
    work()
    campaign.start(run, pilot_only=False)
    MigrationStep.objects.filter(account=anna).update(next_at=timezone.now())
    mail.outbox.clear()
    tasks.tick()
    assert [message.to for message in mail.outbox] == [[anna.owner.email]]
    assert step_of(run, anna).reminders == 1
    assert step_of(run, ben).next_at > timezone.now()  # a worker's by now
    tasks.campaign_step(ben.pk)
    assert step_of(run, ben).state == "invited"


def test_a_job_that_was_lost_is_queued_again() -> None:
    run = make_campaign(make_movable())
    campaign.start(run, pilot_only=False)
    assert campaign_work.enqueue_due() == 1
    MigrationStep.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    assert campaign_work.enqueue_due() == 1


# --- pausing, trying again, giving up -------------------------------------------------------------------------------


def test_a_paused_campaign_begins_nothing_until_it_goes_on() -> None:
    run = make_campaign(make_movable("anna@org.test"))
    campaign.start(run, pilot_only=False)
    assert campaign.pause(run)
    assert not campaign.pause(run)
    work()
    assert states(run) == {"anna@org.test": "chosen"}
    assert campaign.go_on(run)
    work()
    assert states(run) == {"anna@org.test": "invited"}


def test_what_failed_is_tried_again() -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    run = make_campaign(anna, ben)
    MigrationStep.objects.filter(account=anna).update(state="failed", code="mailbox_differs", attempts=3)
    assert campaign.retry(run) == 1
    step = step_of(run, anna)
    assert (step.state, step.code, step.attempts) == ("chosen", "", 0)
    work()
    assert states(run) == {"anna@org.test": "invited", "ben@org.test": "chosen"}


def test_an_invitation_that_expired_is_sent_again_with_a_new_link() -> None:
    account = make_movable()
    run = make_campaign(account)
    campaign.start(run, pilot_only=False)
    work()
    first = step_of(run, account).invitation
    assert campaign.retry(run) == 0
    MigrationStep.objects.update(invited_until=timezone.now() - timedelta(minutes=1))
    assert campaign.retry(run) == 1
    work()
    assert step_of(run, account).state == "invited"
    assert step_of(run, account).invitation != first
    assert len(mail.outbox) == 2


def test_cancelling_gives_up_those_who_have_not_moved_and_ends_the_campaign() -> None:
    accounts = [make_movable(f"{name}@org.test") for name in ("anna", "ben", "cleo", "dora", "emil")]
    run = make_campaign(*accounts)
    for account, state in zip(accounts, ("switched", "invited", "failed", "chosen", "consented"), strict=True):
        MigrationStep.objects.filter(account=account).update(state=state)
    make_credential(accounts[4], state="pending", backend="app_password")
    assert campaign.cancel(run) == 4
    assert sorted(states(run).values()) == ["cancelled"] * 4 + ["switched"]
    assert not accounts[4].credentials.filter(state="pending").exists()
    assert MigrationRun.objects.get().finished_at is not None
    assert campaign.cancel(run) == 0


def test_an_account_that_is_disconnected_meanwhile_stops_nobody() -> None:
    anna, ben = make_movable("anna@org.test"), make_movable("ben@org.test")
    run = make_campaign(anna, ben)
    campaign.start(run, pilot_only=False)
    anna.delete()
    work()
    assert states(run) == {"anna@org.test": "cancelled", "ben@org.test": "invited"}


def test_one_that_can_not_move_any_more_fails_with_the_reason() -> None:
    account = make_movable()
    run = make_campaign(account)
    campaign.start(run, pilot_only=False)
    account.owner.is_active = False
    account.owner.save()
    work()
    step = step_of(run, account)
    assert (step.state, step.code) == ("failed", "owner_inactive")


def test_a_step_changes_only_from_the_state_it_is_in() -> None:
    run = make_campaign(make_movable())
    with pytest.raises(ValueError, match="can't follow"):
        steps.advance_all(run, "switched", "chosen")
    assert steps.advance_all(run, "failed", "chosen") == 0


def test_a_mail_server_out_of_order_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_movable()
    run = make_campaign(account)
    campaign.start(run, pilot_only=False)

    def broken(*_: object, **__: object) -> None:
        raise OSError("the mail server is away")

    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.hooks.send_mail", broken)
        work()
    step = step_of(run, account)
    assert (step.state, step.code, step.attempts, step.invitation) == ("chosen", "invitation_unsent", 1, "")
    assert step.next_at is not None and step.next_at > timezone.now()
    MigrationStep.objects.update(next_at=timezone.now())
    work()
    assert step_of(run, account).state == "invited"
    assert len(mail.outbox) == 1


def test_somebody_without_an_address_still_finds_the_switch_on_the_account(client: Any) -> None:
    account = make_movable(owner=make_owner())
    account.owner.email = ""
    account.owner.save()
    run = make_campaign(account, client=make_client())
    campaign.start(run, pilot_only=False)
    work()
    assert step_of(run, account).state == "invited"
    assert mail.outbox == []


def test_an_account_that_waits_in_another_campaign_still_goes_back() -> None:
    """Whichever of both the database finds first."""
    for _ in range(6):
        account = make_movable()
        client = make_client(name=account.address)
        moved = make_campaign(account, client=client)
        waiting = MigrationRun.objects.create(to="app_only", client=client)
        moved.steps.update(state="switched", switched_at=timezone.now())
        steps.begin(account, waiting)
        assert campaign.roll_back(moved, actor=None) == 1
        campaign_work.work_on(account.pk)
        assert (step_of(moved, account).code, step_of(waiting, account).state) == ("way_back_gone", "chosen")


def test_an_account_of_a_paused_campaign_still_goes_back() -> None:
    for _ in range(6):
        account = make_movable()
        client = make_client(name=account.address)
        moved = make_campaign(account, client=client)
        moved.steps.update(state="switched", switched_at=timezone.now())
        paused = make_campaign(account, client=client)
        campaign.start(paused, pilot_only=False)
        campaign.pause(paused)
        campaign.roll_back(moved, actor=None)
        campaign_work.work_on(account.pk)
        assert (step_of(moved, account).code, step_of(paused, account).state) == ("way_back_gone", "chosen")

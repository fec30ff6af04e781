"""Invitations: what the mail says, whom its link lets in, when it is over, and the reminders."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.utils import timezone

from mailaccounts.models import MigrationStep
from mailaccounts.services.campaigns import campaign, invitations
from mailaccounts.services.campaigns.campaign_work import begin
from tests.app.campaigns import make_campaign, make_movable, make_owner, step_of
from tests.app.pages import problem

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django.fixtures import SettingsWrapper

    from mailaccounts.models import MailAccount

pytestmark = pytest.mark.django_db

SITE = "https://crm.company.test"


@pytest.fixture(autouse=True)
def _site(settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": SITE}


@pytest.fixture
def account() -> MailAccount:
    return make_movable("anna@org.test")


@pytest.fixture
def step(account: MailAccount) -> MigrationStep:
    """A step whose owner was invited."""
    step = step_of(make_campaign(account), account)
    begin(step)
    return step


def link(number: int = -1) -> str:
    """The address of the page that the mail leads to."""
    found = re.search(re.escape(SITE) + r"(\S+)", str(mail.outbox[number].body))
    assert found
    return found[1]


def test_the_mail_says_what_will_happen_and_until_when(step: MigrationStep) -> None:
    (sent,) = mail.outbox
    assert sent.to == [step.account.owner.email]
    assert "anna@org.test" in sent.subject
    assert "Microsoft" in sent.body
    assert f"good until {step.invited_until:%-d %B %Y}" in sent.body
    assert "password" in sent.body


def test_the_link_leads_its_owner_to_the_switch_as_often_as_it_is_looked_at(
    client: Client, step: MigrationStep
) -> None:
    client.force_login(step.account.owner)
    before = MigrationStep.objects.values().get()
    for _ in range(2):
        response = client.get(link())
        assert response.status_code == 302
        assert response["Location"] == f"/settings/email-accounts/{step.account.pk}/switch/"
    assert MigrationStep.objects.values().get() == before


def test_somebody_who_is_not_signed_in_signs_in_first_and_then_gets_there(client: Client, step: MigrationStep) -> None:
    response = client.get(link())
    assert response["Location"].startswith("/accounts/login/?next=")
    assert "anna" not in client.get(link(), follow=True).content.decode()


@pytest.mark.parametrize("staff", [False, True], ids=["a colleague", "an administrator"])
def test_a_forwarded_link_tells_nothing_of_the_account(client: Client, step: MigrationStep, staff: bool) -> None:
    colleague = make_owner()
    colleague.is_staff = colleague.is_superuser = staff
    colleague.save()
    client.force_login(colleague)
    response = client.get(link())
    assert response.status_code == 404
    code, words = problem(response)
    assert code == "invitation_for_somebody_else"
    assert "sign in as the user it was sent to" in words
    page = response.content.decode()
    assert step.address not in page
    assert step.account.owner.username not in page
    assert f"/{step.account.pk}/" not in page
    MigrationStep.objects.all().delete()
    assert problem(client.get(link())) == (code, words)  # the same as for one that isn't there


def test_a_damaged_link_is_told_from_others(client: Client, step: MigrationStep) -> None:
    client.force_login(step.account.owner)
    whole = link()
    for broken in (whole[:-3] + "/", whole.replace("invitation/", "invitation/x", 1)):
        response = client.get(broken)
        assert response.status_code == 404
        assert problem(response)[0] == "invitation_damaged"


def test_an_expired_link_says_until_when_it_was_good_and_what_to_do(client: Client, step: MigrationStep) -> None:
    client.force_login(step.account.owner)
    over = timezone.now() - timedelta(days=1)
    MigrationStep.objects.update(invited_until=over)
    response = client.get(link())
    assert response.status_code == 410
    code, words = problem(response)
    assert code == "invitation_expired"
    assert f"{over:%-d %B %Y}" in words
    assert f"/settings/email-accounts/{step.account.pk}/switch/" in response.content.decode()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("switched", "invitation_used"),
        ("cancelled", "invitation_withdrawn"),
        ("rolled_back", "invitation_withdrawn"),
    ],
)
def test_a_link_whose_time_is_over_says_so(client: Client, step: MigrationStep, state: str, code: str) -> None:
    client.force_login(step.account.owner)
    MigrationStep.objects.update(state=state)
    response = client.get(link())
    assert response.status_code == 410
    page = response.content.decode()
    assert f'data-code="{code}"' in page
    assert f"/settings/email-accounts/{step.account.pk}/" in page


@pytest.mark.parametrize("state", ["consented", "verified", "failed"])
def test_a_link_goes_on_leading_there_while_the_switch_is_under_way(
    client: Client, step: MigrationStep, state: str
) -> None:
    client.force_login(step.account.owner)
    MigrationStep.objects.update(state=state)
    assert client.get(link()).status_code == 302


def test_a_new_invitation_takes_the_place_of_the_old_one(client: Client, step: MigrationStep) -> None:
    client.force_login(step.account.owner)
    MigrationStep.objects.update(state="failed", invited_at=timezone.now() - timedelta(days=1))
    campaign.retry(step.run)
    begin(step_of(step.run, step.account))
    assert problem(client.get(link(0)))[0] == "invitation_replaced"
    assert client.get(link(1)).status_code == 302


def test_one_who_is_not_the_owner_any_more_is_not_let_in(client: Client, step: MigrationStep) -> None:
    former = step.account.owner
    client.force_login(former)
    step.account.owner = make_owner()
    step.account.save()
    assert problem(client.get(link()))[0] == "invitation_for_somebody_else"
    client.force_login(step.account.owner)
    assert client.get(link()).status_code == 302


def test_the_nonce_is_stored_as_a_hash_alone(step: MigrationStep) -> None:
    assert re.fullmatch("[0-9a-f]{64}", step.invitation)
    assert step.invitation not in mail.outbox[0].body


def test_without_the_address_of_the_site_the_mail_says_where_to_click(
    account: MailAccount, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": ""}
    begin(step_of(make_campaign(account), account))
    assert "Settings → Email accounts" in mail.outbox[0].body
    assert "://" not in mail.outbox[0].body


# --- reminders -----------------------------------------------------------------------------------------------------


def days_pass(number: float) -> None:
    """The invitation was sent that much earlier."""
    for step in MigrationStep.objects.all():
        past = timedelta(days=number)
        changes = {
            name: getattr(step, name) - past
            for name in ("invited_at", "invited_until", "next_at")
            if getattr(step, name)
        }
        MigrationStep.objects.filter(pk=step.pk).update(**changes)


def test_two_reminders_some_days_apart_and_no_more(step: MigrationStep) -> None:
    assert invitations.remind_due() == 0
    sent = []
    for _ in range(6):
        days_pass(1)
        sent.append(invitations.remind_due())
    assert sent == [0, 1, 0, 1, 0, 0]
    assert len(mail.outbox) == 3
    assert all(each.subject.startswith("Reminder") for each in mail.outbox[1:])


def test_a_reminder_has_a_link_that_works(client: Client, step: MigrationStep) -> None:
    MigrationStep.objects.update(next_at=timezone.now())
    assert invitations.remind_due() == 1
    client.force_login(step.account.owner)
    assert link(0) == link(1)
    assert client.get(link(1)).status_code == 302


def test_who_has_gone_on_is_not_reminded(step: MigrationStep) -> None:
    MigrationStep.objects.update(next_at=timezone.now(), state="consented")
    assert invitations.remind_due() == 0


def test_a_paused_campaign_reminds_nobody(step: MigrationStep) -> None:
    MigrationStep.objects.update(next_at=timezone.now())
    campaign.pause(step.run)
    assert invitations.remind_due() == 0
    campaign.go_on(step.run)
    assert invitations.remind_due() == 1


def test_a_reminder_that_can_not_be_sent_is_not_counted_and_tried_later(
    step: MigrationStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    MigrationStep.objects.update(next_at=timezone.now())

    def broken(*_: object, **__: object) -> None:
        raise OSError("the mail server is away")

    with monkeypatch.context() as patch:
        patch.setattr("mailaccounts.hooks.send_mail", broken)
        assert invitations.remind_due() == 0
    step.refresh_from_db()
    assert step.reminders == 0
    assert step.next_at is not None and step.next_at > timezone.now()
    assert step.state == "invited"


def test_the_days_are_settings(account: MailAccount, settings: SettingsWrapper) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "INVITATION_DAYS": 30, "REMINDER_DAYS": 10}
    step = step_of(make_campaign(account), account)
    begin(step)
    assert step.invited_at is not None
    assert step.invited_until == step.invited_at + timedelta(days=30)
    assert step.next_at == step.invited_at + timedelta(days=10)


def test_without_a_link_the_mail_says_where_to_click_and_until_when(
    account: MailAccount, settings: SettingsWrapper
) -> None:
    settings.MAILACCOUNTS = {**settings.MAILACCOUNTS, "SITE_URL": ""}
    step = step_of(make_campaign(account), account)
    begin(step)
    step.refresh_from_db()
    body = str(mail.outbox[-1].body)
    assert "Settings → Email accounts" in body
    assert f"until {step.invited_until:%-d %B %Y}" in body
    assert "link" not in body

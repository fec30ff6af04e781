"""Tasks: ids in, one service call each.

Nothing leaves a task but None: what django-q2 stores of a failure is the exception's text and traceback.
"""

from __future__ import annotations

from functools import partial

from mailaccounts.queue import Job, enqueue
from mailaccounts.services.campaigns import campaign_work, invitations
from mailaccounts.services.checking import sample
from mailaccounts.services.connecting.departures import disconnect_departed
from mailaccounts.services.connecting.erase import erase as erase_account
from mailaccounts.services.connecting.handing_over import hand_over as hand_account_over
from mailaccounts.services.consents.offered import look_up_exchangers
from mailaccounts.services.inbox import actions
from mailaccounts.services.inbox.carry_out import carry_out
from mailaccounts.services.moving import resume
from mailaccounts.services.organisations import canary
from mailaccounts.services.people import directory, forgetting
from mailaccounts.services.registering import secret_expiry
from mailaccounts.services.running import alarms, figures
from mailaccounts.services.sending import originals, outgoing_due
from mailaccounts.services.sending.deliver import go_on_with
from mailaccounts.services.signing_in.credentials import destroy_retired
from mailaccounts.services.signing_in.give_back import give_back_due
from mailaccounts.services.storing.sweep import sweep
from mailaccounts.services.syncing import retention
from mailaccounts.services.syncing.due import enqueue_due, go_on
from mailaccounts.services.syncing.poll import poll
from mailaccounts.services.syncing.preview import count as count_for_preview
from mailaccounts.services.telling import webhook
from mailaccounts.services.telling.notices import notify as notify_owner
from mailaccounts.services.telling.notices import notify_due
from mailaccounts.services.telling.safely import safely
from mailaccounts.services.trail import beats, break_glass
from mailaccounts.services.watching.watch_claims import release_lost


def tick() -> None:
    """Queues what is due, and finishes what a lost worker or a provider out of order left undone."""
    for work in (
        disconnect_departed,
        release_lost,
        enqueue_due,
        outgoing_due.note_lost,
        outgoing_due.give_up,
        outgoing_due.enqueue_due,
        actions.enqueue_due,
        notify_due,
        alarms.look,
        webhook.enqueue_due,
        break_glass.tell_due,
        resume.resume_due,
        campaign_work.enqueue_due,
        invitations.remind_due,
        destroy_retired,
        give_back_due,
        canary.enqueue_due,
        forgetting.enqueue_due,
        directory.enqueue_due,
        sweep,
        figures.remember_hour,
        partial(beats.note, beats.TICK),
    ):
        safely(work)


def day() -> None:
    """Says whose secret ends soon, asks where the mail of mailboxes with a password goes by now, and has some of all
    mailboxes compared with what is stored of them; mail that was kept long enough is erased. Notes how many accounts
    there are, of which kind and in which state."""
    safely(figures.remember_day)
    safely(secret_expiry.warn)
    safely(look_up_exchangers)
    safely(sample.enqueue_sample)
    safely(retention.erase_due)
    safely(webhook.forget_old)


def compare(account_id: int) -> None:
    """Compares an account's mailbox with what is stored of it."""
    safely(lambda: sample.compare(account_id))


def move(account_id: int) -> None:
    """Goes on with an account's migration."""
    safely(lambda: resume.go_on(account_id))


def canaries() -> None:
    """Tries whether the mailboxes that must stay closed to us do."""
    safely(canary.check_due)


def campaigns() -> None:
    """Begins with the accounts that an administrator has started to move, or wants back."""
    safely(campaign_work.enqueue_due)


def campaign_step(account_id: int) -> None:
    """Takes an account's step in a campaign on."""
    safely(lambda: campaign_work.work_on(account_id))


def sync(*account_ids: int) -> None:
    """Syncs accounts, and queues those again that have more than one sync's time allows."""
    safely(lambda: poll(account_ids))


def preview(account_id: int) -> None:
    """Counts what a first sync of an account would store."""
    safely(lambda: count_for_preview(account_id))


def send(outgoing_id: int) -> None:
    """Takes an outgoing message one step further."""
    safely(lambda: go_on_with(outgoing_id))


def act(account_id: int) -> None:
    """Does in an account's mailbox what its owner did here."""
    safely(lambda: carry_out(account_id))


def enclose(outgoing_id: int) -> None:
    """Fetches the files that a draft passes on."""
    safely(lambda: originals.fetch(outgoing_id))


def erase(account_id: int) -> None:
    """Erases a disconnected account, and queues it again when there was more than one job's time allows."""
    safely(lambda: _erase(account_id))


def hand_over(account_id: int) -> None:
    """Hands the mail of somebody who left over, and queues the account again when that takes longer than a job may."""
    safely(lambda: _hand_over(account_id))


def forget(erasing_id: int) -> None:
    """Erases mail of people that nobody knows any more, and queues the rest when it took longer than a job may."""
    safely(lambda: forgetting.go_on(erasing_id))


def retell(change_id: int) -> None:
    """Tells the host of stored mail with people who became known, or are not any more."""
    safely(lambda: directory.retell(change_id))


def keep(account_id: int) -> None:
    """Erases mail of an account that is older than its owner wants it kept, and queues the rest when it takes long."""
    safely(lambda: _keep(account_id))


def notify(account_id: int) -> None:
    """Sends the notice that is due for an account."""
    safely(lambda: notify_owner(account_id))


def tell_opened(opening_id: int) -> None:
    """Tells an owner that their mailbox was opened."""
    safely(lambda: break_glass.tell(opening_id))


def deliver_webhook() -> None:
    """Tells the webhook's target what it has yet to be told."""
    safely(webhook.deliver_due)


def give_back() -> None:
    """Tells providers of the grants that nobody uses any more."""
    safely(give_back_due)


def _keep(account_id: int) -> None:
    if not retention.erase_old(account_id):
        enqueue(Job.KEEP, account_id)


def _erase(account_id: int) -> None:
    if not erase_account(account_id):
        go_on(account_id)


def _hand_over(account_id: int) -> None:
    if not hand_account_over(account_id):
        go_on(account_id)

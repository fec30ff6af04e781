"""A great deal of stored mail, made in the database itself: what a CRM has after years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from crm.models import Contact
from mailaccounts.models import Thread
from tests.app.builders import make_account, make_user
from tests.benchmarks.conftest import forget_all_mail

OTHERS = 20  # mailboxes of other users
IN_A_THREAD = 3  # messages
COMMON, RARE = "invoice", "zeppelin"  # a word that a third of all messages have, and one of which there are ten

WORDS = """(ARRAY['please','find','attached','the','order','for','your','review','we','would','like','to','discuss',
'price','delivery','next','week','meeting','contract','terms','regards','team','project','update','schedule','quality',
'sample','customer','support','question','answer','number','payment','account','ship','goods','store','plan','draft',
'final'])"""
ANY = f"{WORDS}[1 + (('x' || substr(md5(t.id || ' ' || k || ' ' || w), 1, 6))::bit(24)::int %% 40)]"

STATEMENTS = (
    """INSERT INTO crm_contact (name, created_at)
       SELECT 'Person ' || n, now() FROM generate_series(1, %(contacts)s) n""",
    """INSERT INTO crm_contactaddress (contact_id, address, folded, is_primary)
       SELECT id, 'p' || id || '@c.test', 'p' || id || '@c.test', true FROM crm_contact""",
    """INSERT INTO mailaccounts_thread (account_id, subject, length, unread, flagged, has_attachments, last_message_at)
       SELECT CASE n %% 10 WHEN 0 THEN %(second)s WHEN 1 THEN %(first)s WHEN 2 THEN %(first)s WHEN 3 THEN %(first)s
              WHEN 4 THEN %(first)s ELSE %(other)s + n %% %(others)s END,
              'About ' || n, %(in_a_thread)s, (n %% 50 = 3)::int, n %% 100 = 4, n %% 7 = 1,
              now() - n * interval '1 minute'
       FROM generate_series(1, %(threads)s) n""",
    f"""INSERT INTO mailaccounts_message (account_id, thread_id, fingerprint, message_id, subject, received_at, size,
           has_body, truncated, body_text, body_html, announced, stored_at, provider_id, provider_thread, "references",
           topic, people, shown, calendar)
       SELECT t.account_id, t.id, md5('f' || t.id || '-' || k) || md5('g' || t.id || '-' || k),
           t.id || '.' || k || '@x', t.subject, t.last_message_at - k * interval '10 seconds', 5000, true, false,
           (SELECT string_agg({ANY}, ' ') FROM generate_series(1, 80) w)
           || CASE WHEN t.id %% 3 = 0 THEN ' {COMMON}' ELSE '' END
           || CASE WHEN (t.id - %(first_thread)s) %% (%(threads)s / 10) = 1 THEN ' {RARE}' ELSE '' END,
           '', true, now(), '', '', '', '', 'Person p@c.test', '', ''
       FROM mailaccounts_thread t, generate_series(0, %(in_a_thread)s - 1) k""",  # noqa: S608 - constants
    """INSERT INTO mailaccounts_messageuid (folder_id, message_id, uidvalidity, uid, flags, seen, labels)
       SELECT f.id, m.id, 1, m.id, chr(92) || 'Seen', true, '' FROM mailaccounts_message m
       JOIN mailaccounts_folder f ON f.account_id = m.account_id""",
    """INSERT INTO mailaccounts_threadfolder (thread_id, folder_id, last_message_at)
       SELECT t.id, f.id, t.last_message_at FROM mailaccounts_thread t
       JOIN mailaccounts_folder f ON f.account_id = t.account_id""",
    """INSERT INTO mailaccounts_participant (message_id, role, position, address, name)
       SELECT m.id, 'from', 0, 'p' || c.id || '@c.test', '' FROM mailaccounts_message m
       CROSS JOIN LATERAL (SELECT CASE WHEN (m.thread_id - %(first_thread)s) %% 100 = 99 THEN %(busy)s
                                  ELSE %(busy)s + m.thread_id %% %(contacts)s END AS id) c
       UNION ALL SELECT m.id, 'to', 0, a.address, '' FROM mailaccounts_message m
       JOIN mailaccounts_mailaccount a ON a.id = m.account_id""",
    """INSERT INTO crm_timelineentry (contact_id, message_id, fingerprint, occurred_at, unseen)
       SELECT a.contact_id, m.id, m.fingerprint, m.received_at, false FROM mailaccounts_participant p
       JOIN mailaccounts_message m ON m.id = p.message_id JOIN crm_contactaddress a ON a.folded = p.address""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """``user`` has two mailboxes with half of all messages. ``busy`` is the contact of a hundredth of them."""

    user: Any
    busy: Contact
    thread: Thread


def fill(*, messages: int, contacts: int) -> Stored:
    """Empties the database of mail and contacts, and stores so many."""
    forget_all_mail()
    Contact.objects.all().delete()
    user = make_user(f"somebody-with-{messages}")
    mine = [make_account(user), make_account(user)]
    others = [make_account() for _ in range(OTHERS)]
    for account in (*mine, *others):
        account.folders.create(name="INBOX", role="inbox", uidvalidity=1)
    threads = messages // IN_A_THREAD
    numbers = {
        "contacts": contacts,
        "threads": threads,
        "in_a_thread": IN_A_THREAD,
        "first": mine[0].pk,
        "second": mine[1].pk,
        "other": others[0].pk,
        "others": OTHERS,
    }
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX message_search")  # and built once all is there
        for statement in STATEMENTS:
            if "first_thread" in statement:
                cursor.execute("SELECT min(id) FROM mailaccounts_thread")
                (numbers["first_thread"],) = cursor.fetchone()
            if "busy" in statement:
                numbers["busy"] = Contact.objects.earliest("pk").pk
            cursor.execute(statement, numbers)
        cursor.execute("CREATE INDEX message_search ON mailaccounts_message USING gin (search)")
        cursor.execute("VACUUM ANALYZE")
    busy = Contact.objects.earliest("pk")
    return Stored(user=user, busy=busy, thread=Thread.objects.filter(account=mine[0]).latest("last_message_at"))

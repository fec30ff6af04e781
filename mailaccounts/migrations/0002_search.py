"""What the search of messages works with, which each database has a way of its own for. Both follow the table by
themselves, whoever writes to it: SQLite by triggers (services/storing/triggers.py), since these don't outlive its migrations."""

from django.db import migrations

POSTGRESQL = (
    # The account is a word as well, so that the index leads to nobody else's mail however common the other words are.
    # What is longer than a tsvector takes (a MiB) is found by its beginning.
    """ALTER TABLE mailaccounts_message ADD COLUMN search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', left(subject, 10000)), 'A')
        || setweight(to_tsvector('simple', left(people, 20000) || ' ' || translate(left(people, 20000), '@', ' ')), 'B')
        || setweight(to_tsvector('simple', left(body_text, 100000)), 'D')
        || array_to_tsvector(ARRAY['=' || account_id::text])
    ) STORED""",
    "CREATE INDEX message_search ON mailaccounts_message USING gin (search)",
)
SQLITE = (
    """CREATE VIRTUAL TABLE mailaccounts_message_search USING fts5(
        subject, people, body_text, content='mailaccounts_message', content_rowid='id', prefix='3')""",
)


def install(apps, schema_editor):
    for statement in {"postgresql": POSTGRESQL, "sqlite": SQLITE}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE mailaccounts_message DROP COLUMN search")
    else:
        for name in ("new", "gone", "other"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS mailaccounts_message_search_{name}")
        schema_editor.execute("DROP TABLE mailaccounts_message_search")


class Migration(migrations.Migration):
    dependencies = [("mailaccounts", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]

"""PostgreSQL itself sees to it that the audit trail and looks at mail are written once: it refuses to change a row or to
delete it, whoever asks. SQLite is taught in services/storing/triggers.py, since triggers don't outlive its migrations.

Two things happen to such a row all the same. A column that names a user or a message is emptied when that is gone, and
a look goes when its account goes. At the end of the transaction they have to be gone indeed.
"""

from django.conf import settings
from django.db import migrations

KEPT = {  # which columns are emptied when what they name is gone, and with whom a row goes
    "AuditEntry": {"emptied": ("actor", "owner"), "goes_with": None},
    "Look": {"emptied": ("message", "viewer"), "goes_with": "account"},
}
REFUSAL = "rows of %s are written once"

# A row that is not as it was, but for what may be emptied.
UNCHANGED = """CREATE FUNCTION {table}_unchanged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {forget}
    IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION '{refusal}' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$"""
FORGET = "IF NEW.{column} IS NULL THEN OLD.{column} := NULL; END IF;"

REFUSED = """CREATE FUNCTION {table}_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '{refusal}' USING ERRCODE = 'restrict_violation';
END $$"""

GONE = """CREATE FUNCTION {table}_{column}_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM {other} WHERE {key} = OLD.{column}) THEN
        RAISE EXCEPTION '{refusal}' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$"""


def install(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name, rule in KEPT.items():
        for statement in _statements(apps.get_model("mailaccounts", name), **rule):
            schema_editor.execute(statement, params=None)


def _statements(model, *, emptied, goes_with):
    table = model._meta.db_table
    words = {"table": table, "refusal": REFUSAL % table}
    columns = {model._meta.get_field(name).column: model._meta.get_field(name) for name in emptied}
    yield UNCHANGED.format(**words, forget="\n    ".join(FORGET.format(column=column) for column in columns))
    yield f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_unchanged()"
    for column, field in columns.items():
        yield _gone(words, field)
        yield (
            f"CREATE CONSTRAINT TRIGGER {table}_{column}_gone AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
            f" FOR EACH ROW WHEN (OLD.{column} IS NOT NULL AND NEW.{column} IS NULL)"
            f" EXECUTE FUNCTION {table}_{column}_gone()"
        )
    yield REFUSED.format(**words)
    # Test runners empty tables with TRUNCATE; their databases are named like this.
    yield (
        f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
        f" WHEN (current_database() NOT LIKE 'test\\_%') EXECUTE FUNCTION {table}_refused()"
    )
    if goes_with is None:
        yield f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refused()"
        return
    field = model._meta.get_field(goes_with)
    yield _gone(words, field)
    yield (
        f"CREATE CONSTRAINT TRIGGER {table}_kept AFTER DELETE ON {table} DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_{field.column}_gone()"
    )


def _gone(words, field):
    """The function that refuses unless the row that ``field`` named is gone."""
    other = field.related_model._meta
    return GONE.format(**words, column=field.column, other=f'"{other.db_table}"', key=f'"{other.pk.column}"')


def remove(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name, rule in KEPT.items():
        model = apps.get_model("mailaccounts", name)
        columns = [model._meta.get_field(each).column for each in (*rule["emptied"], rule["goes_with"]) if each]
        for each in ("unchanged", "refused", *(f"{column}_gone" for column in columns)):
            schema_editor.execute(f"DROP FUNCTION {model._meta.db_table}_{each}() CASCADE")  # and what calls it


class Migration(migrations.Migration):
    dependencies = [("mailaccounts", "0002_search"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [migrations.RunPython(install, remove)]

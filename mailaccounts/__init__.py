"""Mail accounts for Django CRMs: pluggable credentials, migration to OAuth, contacts-first IMAP sync."""

__version__ = "0.1.0"

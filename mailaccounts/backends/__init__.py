"""Credential backends: one file per way to sign in to a mailbox. Chosen by dotted path in MAILACCOUNTS["BACKENDS"]."""

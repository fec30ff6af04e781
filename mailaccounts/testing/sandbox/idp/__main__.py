"""The identity provider's process: tables, clients, and a TLS server on the sockets it was given."""

from __future__ import annotations

import dataclasses
import os
import secrets
import ssl
import threading

from mailaccounts.testing.sandbox.idp.task import Task
from mailaccounts.testing.sandbox.process import read_task, report_ready


def main() -> None:
    received = read_task()
    sockets = received.pop("sockets")
    task = dataclasses.replace(Task.read(received), signing_key=new_signing_key())
    task.publish()
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailaccounts.testing.sandbox.idp.settings"

    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    prepare_database(task)

    from mailaccounts.testing.sandbox.idp.server import TlsServer

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(task.cert_file, task.key_file)
    for listener in sockets:
        server = TlsServer(listener, context=context, application=application)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    report_ready()
    threading.Event().wait()


def new_signing_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def prepare_database(task: Task) -> None:
    """Tables, the CRM's registrations, and the one the mail servers introspect with."""
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", run_syncdb=True, verbosity=0)
    apps: list[tuple[str, str, str, list[str]]] = [(task.mail_client_id, task.mail_client_secret, "Mail servers", [])]
    for client in task.clients.values():
        apps.append((client.client_id, client.client_secret, "Your CRM", client.redirect_uris))
        if client.service_account:
            apps.append((client.service_account, secrets.token_urlsafe(32), "Your CRM's service account", []))
    for client_id, secret, name, redirect_uris in apps:
        Application.objects.update_or_create(
            client_id=client_id,
            defaults={
                "client_secret": secret,
                "hash_client_secret": False,  # a long random value; hashing it would slow every request down
                "name": name,
                "client_type": Application.CLIENT_CONFIDENTIAL,
                "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
                "algorithm": Application.RS256_ALGORITHM,
                "redirect_uris": " ".join(redirect_uris),
            },
        )


if __name__ == "__main__":
    main()

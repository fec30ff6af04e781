"""A world of its own for demos and tests: an identity provider, an IMAP server and an SMTP server on localhost.

    with Sandbox(directory, users=[SandboxUser(address="anna@sandbox.test", password="…")]) as sandbox:
        sandbox.append("anna@sandbox.test", raw_message)
        subprocess.run([...], env={**os.environ, **sandbox.environment()})

docs/sandbox.md tells the rest. On the command line: ``python -m mailaccounts.testing.sandbox``.
"""

try:
    from mailaccounts.testing.sandbox.process import SandboxError
    from mailaccounts.testing.sandbox.sandbox import Sandbox
    from mailaccounts.testing.sandbox.users import SandboxUser
except ModuleNotFoundError as missing:
    # By this name ``python -m`` says it in one line.
    what = f"The sandbox needs {missing.name}. Run pip install '.[sandbox]' in a clone of the repository."
    raise ImportError(what, name=__name__) from None

__all__ = ["Sandbox", "SandboxError", "SandboxUser"]

"""Takes secrets and addresses out of text that is bound for a log. The second line of defence: nobody logs either on
purpose.

Put ``RedactingFilter`` on every log handler (docs/security.md shows how); it also cleans what libraries log.
"""

from __future__ import annotations

import logging
import re

GONE = "…"

_PART = r"[^\s<>()\"',;:=]"
_ADDRESS = re.compile(rf"(?<!{_PART}){_PART}+@[\w.-]+")  # looked for where a word begins, or long ones took forever

_NAMES = (
    r"(?:access|refresh|id)_token|client_(?:secret|assertion)|code_verifier|assertion|password|passwd|passphrase"
    r"|secret(?:_keys?)?|api_key"
)
_VALUE = r"b?\"(?:[^\"\\]|\\.)*\"|b?'(?:[^'\\]|\\.)*'|[^\s\"'&,;)}\]]+"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Tokens by their looks: JSON web tokens, and the base64 of "user=", with which every XOAUTH2 response begins.
    (re.compile(r"\beyJ[\w-]{8,8192}+\.[\w-]+(?:\.[\w-]*)?"), GONE),
    (re.compile(r"\bdXNlcj[A-Za-z0-9+/_-]+=*"), GONE),
    # Authorization headers and SASL responses (RFC 6750, RFC 7617, RFC 4954, RFC 9051 §6.2.2).
    (re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {GONE}"),
    (re.compile(r"(?i)\b(AUTH(?:ENTICATE)?\s+[A-Z0-9-]+)\s+[A-Za-z0-9+/=]{4,}"), rf"\1 {GONE}"),
    (re.compile(r"\b([A-Z0-9]{1,12} LOGIN (?:\"(?:[^\"\\]|\\.)*\"|\S+)) [^\r\n]+"), rf"\1 {GONE}"),
    # Named values, as JSON, as Python prints them, as a form or a query has them.
    (re.compile(rf"(?i)(\b(?:{_NAMES})[\"']?\s*[=:]\s*)(?:{_VALUE})"), rf"\1{GONE}"),
    (re.compile(r"((?:[?&]|\b)(?:code|state)=)[^\s\"'&]+"), rf"\1{GONE}"),
    # The password in a URL.
    (re.compile(r"(\w://[^\s/:@]*):[^\s/@]+@"), rf"\1:{GONE}@"),
)


def scrub(text: str) -> str:
    """``text`` without what looks like a secret."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def clean(text: str) -> str:
    """The same, without addresses as well."""
    return _ADDRESS.sub(GONE, scrub(text))


class RedactingFilter(logging.Filter):
    """Cleans message, arguments, traceback and stack of every record that passes; lets every record pass."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging goes on whatever an argument's __str__ raises, and so do we
            message = f"{record.msg} (its arguments don't fit)"  # logging would print them to stderr
        record.msg, record.args = clean(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text, record.exc_info = clean(record.exc_text), None
        if record.stack_info:
            record.stack_info = clean(record.stack_info)
        return True

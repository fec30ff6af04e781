"""What counts as the same domain: in any case, in Unicode or in ASCII, with or without a dot at its end.

The one place that decides it, for whom owners block and, by ``mailaccounts.hooks``, for whom a host knows. Never
raises, whatever it is given.
"""

from __future__ import annotations

import unicodedata

LONGEST_LABEL = 63  # RFC 1035 §2.3.4; punycode takes quadratic time, and longer ones name nothing


def fold_domain(domain: str) -> str:
    """Lower case, in ASCII, without a dot at its end: ``Bücher.example.`` → ``xn--bcher-kva.example``."""
    domain = storable(domain).strip()
    if domain.isascii():
        return domain.rstrip(".").lower()
    # Not the idna codec: it takes straße.example for strasse.example, which may be somebody else's (IDNA2008).
    domain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", domain).lower())
    return ".".join(_ascii_label(label) for label in domain.replace("。", ".").rstrip(".").split("."))


def fold_local(local: str) -> str:
    """What stands before the ``@``, in lower case and in the one way that Unicode has for each character."""
    return unicodedata.normalize("NFC", storable(local).lower())


def storable(text: str) -> str:
    """Without what no database holds: NUL and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _ascii_label(label: str) -> str:
    if label.isascii() or len(label) > LONGEST_LABEL:
        return label
    return "xn--" + label.encode("punycode").decode("ascii")

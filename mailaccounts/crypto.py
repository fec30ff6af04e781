"""The vault: secrets are sealed with AES-256-GCM under a named key and bound to a context.

A sealed text reads ``v1.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>``. The context (table, column, row, owner) is
authenticated but not stored, so a text that is moved to another row doesn't open. NIST SP 800-38D: random 96-bit
nonces are safe for 2**32 seals per key.

What others are to believe is signed with Ed25519 (RFC 8032), by a key made from the vault's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailaccounts.errors import KeyMissing, SealBroken, VaultError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = "v1"
KEY_BYTES = 32
KEY_ID_CHARS = 8
NONCE_BYTES = 12
SIGNS = b"mailaccounts signatures v1"  # what a key made from the vault's is for
PUBLIC_BYTES = 32


class Secret:
    """A value that doesn't print, pickle or compare in variable time; ``reveal`` is the only way out."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        return self._value

    def reveal_text(self) -> str:
        return self._value.decode()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled")


@dataclass(frozen=True, slots=True)
class Key:
    """One 256-bit key, named by the first 8 hex digits of its SHA-256."""

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) != KEY_BYTES:
            raise ValueError(f"a vault key has {KEY_BYTES} bytes, this one has {len(self.material)}")

    @property
    def key_id(self) -> str:
        return hashlib.sha256(b"mailaccounts key id" + self.material).hexdigest()[:KEY_ID_CHARS]

    @classmethod
    def parse(cls, text: str) -> Key:
        """Reads base64 or base64url of 32 bytes; ValueError says what is wrong without repeating the text."""
        try:
            material = base64.urlsafe_b64decode(text.strip().replace("+", "-").replace("/", "_").encode())
        except (binascii.Error, ValueError):
            raise ValueError("a vault key is 32 random bytes in base64") from None
        if len(set(material)) < KEY_BYTES // 4:
            raise ValueError("this vault key isn't random")
        return cls(material)

    @classmethod
    def generate(cls) -> str:
        return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a signing key that is no secret, in its 32 bytes (RFC 8032 §5.1.5)."""

    raw: bytes

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> PublicKey:
        return cls(private.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Reads base64url of the 32 bytes; ValueError for anything else."""
        try:
            raw = base64.b64decode(text.strip().encode(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != PUBLIC_BYTES:
            raise ValueError("a public key is 32 bytes in base64url")
        return cls(raw)

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(self.raw).decode()

    @property
    def key_id(self) -> str:
        """The first hex digits of its SHA-256: anybody can name a key they hold."""
        return hashlib.sha256(self.raw).hexdigest()[: 2 * KEY_ID_CHARS]

    @property
    def pem(self) -> str:
        """As openssl reads it (RFC 8410)."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Reads ``v1.<public key>.<base64url of 64 bytes>``."""

    key: PublicKey
    value: bytes

    def __str__(self) -> str:
        return f"{VERSION}.{self.key}.{base64.urlsafe_b64encode(self.value).decode()}"

    @classmethod
    def parse(cls, text: str) -> Signature:
        """ValueError for anything else."""
        version, _, rest = text.partition(".")
        key, _, value = rest.partition(".")
        if version != VERSION:
            raise ValueError("not a signature")
        return cls(key=PublicKey.parse(key), value=base64.urlsafe_b64decode(value))

    def fits(self, text: str) -> bool:
        """Whether it was made for ``text``, with the private half of ``key``; whose that is, is another question."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key.raw).verify(self.value, text.encode())
        except InvalidSignature:
            return False
        return True


class SecretBox:
    """Seals with its first key and opens with any of them."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """What the signatures made with each of the keys are checked with; the first one signs."""
        return tuple(PublicKey.of(_signer(key)) for key in self._keys)

    def sign(self, text: str) -> Signature | None:
        """Signs ``text`` with what is derived from the first key; None without a key."""
        if not self._keys:
            return None
        signer = _signer(self._keys[0])
        return Signature(key=PublicKey.of(signer), value=signer.sign(text.encode()))

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of the keys; the first one seals."""
        return tuple(key.key_id for key in self._keys)

    @property
    def prefix(self) -> str:
        """How every text begins that is under the key that seals today; VaultError without a key."""
        if not self._keys:
            raise VaultError
        return f"{VERSION}.{self._keys[0].key_id}."

    def seal(self, plain: bytes, *, context: str) -> str:
        """Seals ``plain`` for ``context``; VaultError without a key."""
        if not self._keys:
            raise VaultError
        key = self._keys[0]
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(key.material).encrypt(nonce, plain, _associated(key.key_id, context))
        return f"{VERSION}.{key.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, context: str) -> bytes:
        """Opens what ``seal`` made for the same context; KeyMissing, SealBroken."""
        key_id, body = self._split(sealed)
        key = next((key for key in self._keys if key.key_id == key_id), None)
        if key is None:
            raise KeyMissing(key_id=key_id)
        try:
            raw = base64.urlsafe_b64decode(body)
            return AESGCM(key.material).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _associated(key_id, context))
        except (InvalidTag, ValueError):
            raise SealBroken from None

    @staticmethod
    def _split(sealed: str) -> tuple[str, str]:
        version, _, rest = sealed.partition(".")
        key_id, dot, body = rest.partition(".")
        if version != VERSION or not dot:
            raise SealBroken
        return key_id, body


def _associated(key_id: str, context: str) -> bytes:
    return f"{VERSION}.{key_id}.{context}".encode()


def _signer(key: Key) -> Ed25519PrivateKey:
    """Derived (RFC 5869), so that neither key tells the other."""
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=SIGNS).derive(key.material)
    return Ed25519PrivateKey.from_private_bytes(derived)

"""The vault: what is sealed opens only with its key and in its place."""

from __future__ import annotations

import base64
import copy
import pickle
import traceback

import pytest

from mailaccounts.crypto import KEY_BYTES, Key, Secret, SecretBox
from mailaccounts.errors import KeyMissing, SealBroken, VaultError

OLD, NEW = Key.parse(Key.generate()), Key.parse(Key.generate())
PLACE = "mailaccounts.credential:secret:1"


def test_a_sealed_secret_opens_in_its_place() -> None:
    box = SecretBox([NEW])
    assert box.open(box.seal(b"s3cret", context=PLACE), context=PLACE) == b"s3cret"


def test_a_sealed_secret_does_not_open_in_another_place() -> None:
    box = SecretBox([NEW])
    with pytest.raises(SealBroken):
        box.open(box.seal(b"s3cret", context=PLACE), context=PLACE + "0")


def test_the_first_key_seals_and_every_key_opens() -> None:
    sealed_before = SecretBox([OLD]).seal(b"s3cret", context=PLACE)
    rotated = SecretBox([NEW, OLD])
    assert rotated.open(sealed_before, context=PLACE) == b"s3cret"
    assert not sealed_before.startswith(rotated.prefix)
    sealed_now = rotated.seal(b"s3cret", context=PLACE)
    assert sealed_now.startswith(rotated.prefix)
    assert SecretBox([NEW]).open(sealed_now, context=PLACE) == b"s3cret"


def test_a_missing_key_is_named_by_its_id() -> None:
    sealed = SecretBox([OLD]).seal(b"s3cret", context=PLACE)
    with pytest.raises(KeyMissing) as caught:
        SecretBox([NEW]).open(sealed, context=PLACE)
    assert OLD.key_id in caught.value.message
    assert "MAILACCOUNTS_SECRET_KEYS" in caught.value.message


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(VaultError):
        SecretBox([]).seal(b"s3cret", context=PLACE)


def test_the_same_secret_is_never_sealed_alike_twice() -> None:
    box = SecretBox([NEW])
    assert box.seal(b"s3cret", context=PLACE) != box.seal(b"s3cret", context=PLACE)


@pytest.mark.parametrize("position", ["nonce", "ciphertext", "tag"])
def test_an_altered_ciphertext_does_not_open(position: str) -> None:
    box = SecretBox([NEW])
    version, key_id, body = box.seal(b"s3cret", context=PLACE).split(".")
    raw = bytearray(base64.urlsafe_b64decode(body))
    raw[{"nonce": 0, "ciphertext": 13, "tag": -1}[position]] ^= 1
    altered = ".".join([version, key_id, base64.urlsafe_b64encode(raw).decode()])
    with pytest.raises(SealBroken):
        box.open(altered, context=PLACE)


def test_a_ciphertext_under_another_keys_name_does_not_open() -> None:
    box = SecretBox([NEW, OLD])
    sealed = box.seal(b"s3cret", context=PLACE)
    with pytest.raises(SealBroken):
        box.open(sealed.replace(NEW.key_id, OLD.key_id), context=PLACE)


@pytest.mark.parametrize(
    "text", ["", "s3cret", "v1", "v1.", "v1.x", "v2.00000000.AAAA", "v1.{key}.", "v1.{key}.!", "v1.{key}.AAAA"]
)
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(SealBroken):
        SecretBox([NEW]).open(text.format(key=NEW.key_id), context=PLACE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        base64.b64encode(b"x" * KEY_BYTES).decode(),  # not random
        base64.b64encode(bytes(range(KEY_BYTES - 1))).decode(),
        base64.b64encode(bytes(range(KEY_BYTES + 1))).decode(),
        "ключ",
        "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM",  # padding lost
    ],
)
def test_a_bad_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Key.parse(text)
    assert not text or text not in str(caught.value)


def test_a_key_may_be_in_either_base64() -> None:
    material = bytes([251, 255, 254, *range(29)])
    standard, urlsafe = base64.b64encode(material).decode(), base64.urlsafe_b64encode(material).decode()
    assert standard != urlsafe
    assert Key.parse(standard) == Key.parse(f" {urlsafe}\n")


def test_a_secret_tells_nothing() -> None:
    secret = Secret("s3cret")
    assert "s3cret" not in f"{secret} {secret!r} {[secret]}"
    assert "s3cret" not in repr(Key.parse(Key.generate())) + str(vars(Key))
    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            copier(secret)


def test_no_secret_is_in_the_traceback_of_a_failure() -> None:
    sealed = SecretBox([OLD]).seal(b"s3cret", context=PLACE)
    try:
        SecretBox([OLD]).open(sealed, context="elsewhere")
    except SealBroken as error:
        text = "".join(traceback.format_exception(error))
    assert "s3cret" not in text
    assert sealed not in text


def test_text_and_bytes_come_back_as_they_went_in() -> None:
    assert Secret("pässwörd").reveal_text() == "pässwörd"
    assert Secret(b"\xff\x00").reveal() == b"\xff\x00"
    assert not Secret("")

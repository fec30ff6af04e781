"""From an address to its provider, and presets an installation brings itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailaccounts.mail.network import host_name
from mailaccounts.mail.types import Security
from mailaccounts.presets import (
    PRESETS,
    ProviderLimits,
    ProviderPreset,
    UsernameForm,
    find,
    for_exchangers,
    for_host,
    load_extra,
)

if TYPE_CHECKING:
    from pathlib import Path

OURS = {"slug": "ours", "label": "Ours", "imap": "imaps://mail.example.test:1993", "domains": ["Example.test"]}


@pytest.mark.parametrize(
    ("address", "slug"),
    [
        ("ann@outlook.com", "outlook"),
        ("ann@hotmail.co.uk", "outlook"),
        ("ann@gmail.com", "google"),
        ("ann@yahoo.co.in", "yahoo"),
        ("ann@aol.com", "aol"),
        ("ann@me.com", "icloud"),
        ("ann@fastmail.com", "fastmail"),
        ("ann@gmx.at", "gmx"),
        ("ann@gmx.com", "gmx-com"),
        ("ann@web.de", "web-de"),
        ("ann@mail.com", "mail-com"),
        ("ann@online.de", "ionos"),
        ("ann@t-online.de", "t-online"),
        ("ann@wanadoo.fr", "orange"),
        ("ann@posteo.uk", "posteo"),
        ("ann@yandex.kz", "yandex"),
        ("ann@bk.ru", "mail-ru"),
        ("ann@zohomail.eu", "zoho-eu"),
        (" Ann@GMX.de ", "gmx"),
    ],
)
def test_an_address_finds_its_provider(address: str, slug: str) -> None:
    preset = find(address)
    assert preset is not None
    assert preset.slug == slug


@pytest.mark.parametrize("address", ["ann@example.test", "ann", "", "ann@notgmail.com", "ann@mail.gmail.com"])
def test_an_unknown_domain_finds_nobody(address: str) -> None:
    assert find(address) is None


def test_a_customers_own_domain_is_found_by_its_server() -> None:
    for host, slug in (
        ("outlook.office365.com", "microsoft365"),
        ("imap.strato.de", "strato"),
        ("IMAP.1und1.de", "ionos"),
    ):
        preset = for_host(host)
        assert preset is not None
        assert preset.slug == slug
    assert for_host("mail.example.test") is None


@pytest.mark.parametrize(
    ("exchangers", "slug"),
    [
        (["contoso-com.mail.protection.outlook.com"], "microsoft365"),
        (["contoso-com.j-v1.mx.microsoft"], "microsoft365"),
        (["outlook-com.olc.protection.outlook.com"], "outlook"),
        (["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "google"),
        (["ASPMX2.GOOGLEMAIL.COM."], "google"),
        (["smtp.google.com"], "google"),
        (["mx01.mail.icloud.com"], "icloud"),
        (["in1-smtp.messagingengine.com"], "fastmail"),
        (["mx.zoho.eu", "mx2.zoho.eu"], "zoho-pro-eu"),
        (["smtpin.rzone.de"], "strato"),
        (["mx00.kundenserver.de"], "ionos"),
        (["mx00.ionos.com"], "ionos-com"),
        (["mxext1.mailbox.org"], "mailbox-org"),
        (["mx1.mail.ovh.net"], "ovh"),
        (["spool.mail.gandi.net"], "gandi"),
        (["mta-gw.infomaniak.ch"], "infomaniak"),
        (["mx.filter.test", "aspmx.l.google.com"], "google"),
    ],
)
def test_a_customers_own_domain_is_found_by_its_mail_exchangers(exchangers: list[str], slug: str) -> None:
    preset = for_exchangers(exchangers)
    assert preset is not None
    assert preset.slug == slug


@pytest.mark.parametrize(
    "exchangers", [[], [""], ["mx.corp.test"], ["protection.outlook.com"], ["evilmail.protection.outlook.com.test"]]
)
def test_unknown_exchangers_are_nobodys(exchangers: list[str]) -> None:
    assert for_exchangers(exchangers) is None


def test_no_exchanger_belongs_to_two_providers() -> None:
    for preset in PRESETS:
        for name in preset.mx:
            assert [other.slug for other in PRESETS if other.exchanges_at(name)] == [preset.slug]


def test_there_is_a_preset_for_everybody_we_promised() -> None:
    assert len(PRESETS) >= 25
    assert {
        *("google", "microsoft365", "outlook", "yahoo", "aol", "icloud", "fastmail", "yandex", "mail-com", "gmx"),
        *("gmx-com", "web-de", "strato", "ionos", "mail-ru", "t-online", "orange", "posteo", "mailbox-org", "ovh"),
        *("gandi", "infomaniak", "exchange", "zoho", "zoho-eu", "zoho-in", "zoho-jp", "zoho-au", "zoho-ca"),
    } <= {preset.slug for preset in PRESETS}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.slug)
def test_a_preset_is_well_formed(preset: ProviderPreset) -> None:
    assert preset.slug == preset.slug.lower() and preset.slug.replace("-", "").isalnum()
    assert preset.label == preset.label.strip() != ""
    hosts = [endpoint.host for endpoint in (preset.imap, preset.smtp) if endpoint]
    for name in (*hosts, *preset.imap_hosts, *preset.domains, *preset.mx):
        assert name == name.lower() == host_name(name) and "." in name
    assert preset.credentials and set(preset.credentials) <= {"xoauth2", "app_password", "password"}
    assert len(set(preset.credentials)) == len(preset.credentials)
    assert bool(preset.provider) == ("xoauth2" in preset.credentials)
    for url in (preset.help_url, preset.app_password_url, preset.consents_url):
        assert url == "" or url.startswith("https://")
    for end in preset.ends:
        assert end.credential in {"xoauth2", "app_password", "password"}
        assert end.protocols and set(end.protocols) <= {"imap", "smtp"}
        assert end.credential not in preset.credentials  # what ends isn't suggested any more


def test_where_only_an_app_password_helps_it_is_said_where_to_make_one() -> None:
    assert [p.slug for p in PRESETS if p.credentials[0] == "app_password" and not p.app_password_url] == []


def test_a_preset_without_servers_is_found_by_nothing() -> None:
    (exchange,) = [preset for preset in PRESETS if preset.imap is None]
    assert exchange.slug == "exchange"
    assert (exchange.smtp, exchange.domains, exchange.mx, exchange.imap_hosts) == (None, (), (), ())


def test_every_server_is_reached_encrypted_on_its_usual_port() -> None:
    for preset in PRESETS:
        if preset.imap is None:
            continue
        assert (preset.imap.port, preset.imap.security) == (993, Security.TLS)
        assert preset.smtp is not None
        assert (preset.smtp.port, preset.smtp.security) in {(465, Security.TLS), (587, Security.STARTTLS)}


def test_no_two_providers_claim_a_domain_or_a_slug() -> None:
    domains = [domain for preset in PRESETS for domain in preset.domains]
    assert len(domains) == len(set(domains))
    assert all(domain == domain.lower() for domain in domains)
    slugs = [preset.slug for preset in PRESETS]
    assert len(slugs) == len(set(slugs))


def test_the_login_name_takes_the_form_the_provider_wants() -> None:
    web_de, gmx = find("ann@web.de"), find("ann@gmx.de")
    assert web_de is not None and gmx is not None
    assert web_de.username_for("ann@web.de") == "ann"
    assert gmx.username_for("ann@gmx.de") == "ann@gmx.de"


def test_passwords_are_not_suggested_where_microsoft_ended_them() -> None:
    outlook = find("ann@outlook.com")
    assert outlook is not None
    assert outlook.credentials == ("xoauth2",)
    assert outlook.provider == "microsoft"


def _file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "presets.json"
    if isinstance(content, list):
        content = {"presets": content}
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_an_installation_brings_its_own_presets(tmp_path: Path) -> None:
    full = OURS | {
        "smtp": "smtp+starttls://mail.example.test:1587",
        "imap_hosts": ["old.example.test"],
        "mx": ["MX.example.test"],
        "app_password_url": "https://example.test/app",
        "consents_url": "https://example.test/consents",
        "username": "local_part",
        "credentials": ["password", "xoauth2"],
        "provider": "microsoft",
        "files_sent": True,
        "help_url": "https://example.test/help",
        "limits": {"connections": 4, "download_bytes_per_day": 10**9},
    }
    (preset,) = extra = load_extra(_file(tmp_path, [full]))

    assert find("ann@example.test", extra=extra) is preset
    assert for_host("old.example.test", extra=extra) is preset
    assert for_exchangers(["one.mx.example.test"], extra=extra) is preset
    assert preset.app_password_url == full["app_password_url"]
    assert preset.consents_url == full["consents_url"]
    assert preset.imap is not None and preset.imap.url == full["imap"]
    assert preset.smtp is not None and preset.smtp.url == full["smtp"]
    assert preset.username is UsernameForm.LOCAL_PART
    assert preset.credentials == ("password", "xoauth2")
    assert preset.files_sent
    assert preset.limits == ProviderLimits(connections=4, download_bytes_per_day=10**9)


def test_an_installations_preset_goes_before_ours(tmp_path: Path) -> None:
    extra = load_extra(_file(tmp_path, [OURS | {"domains": ["gmail.com"]}]))
    found = find("ann@gmail.com", extra=extra)
    assert found is not None
    assert found.slug == "ours"


def test_no_file_means_no_presets() -> None:
    assert load_extra("") == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ({"slug": "x"}, "must hold .*presets"),
        ({"presets": {}}, "must hold .*presets"),
        (["x"], "preset 1 of .* is not an object"),
        ([OURS, OURS], "more than one preset called ours"),
        ([OURS | {"hosts": []}], "unknown fields: hosts"),
        ([{"slug": "ours", "label": "Ours"}], "lacks imap"),
        ([OURS | {"imap": "imap://mail.example.test"}], "imap must be an address like imaps://"),
        ([OURS | {"imap": 993}], "imap must be an address like imaps://"),
        ([OURS | {"smtp": "mail.example.test:25"}], "smtp must be an address like smtps://"),
        ([OURS | {"username": "upn"}], "username must be address or local_part, not 'upn'"),
        ([OURS | {"domains": "example.test"}], "domains must be a list of texts"),
        ([OURS | {"files_sent": "yes"}], "files_sent must be true or false"),
        ([OURS | {"limits": {"connections": "4"}}], "limits must be an object with whole numbers: connections, "),
        ([OURS | {"limits": {"connections": 0}}], "limits must be an object with whole numbers"),
        ([OURS | {"limits": {"connexions": 4}}], "limits must be an object with whole numbers"),
        ([OURS | {"limits": 4}], "limits must be an object with whole numbers"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_extra(_file(tmp_path, content))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read: No such file"):
        load_extra(tmp_path / "nothing.json")

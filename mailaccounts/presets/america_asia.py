"""Presets of access providers and portals in America and Asia."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailaccounts.presets.terse import preset

if TYPE_CHECKING:
    from mailaccounts.presets.preset import ProviderPreset

PRESETS: tuple[ProviderPreset, ...] = (
    preset(
        slug="comcast",
        label="Comcast Xfinity",
        imap="imap.comcast.net",
        smtp="smtp.comcast.net",
        domains="comcast.net",
        help_url="https://www.xfinity.com/support/articles/third-party-email-access",
    ),
    preset(
        slug="naver",
        label="Naver",
        imap="imap.naver.com",
        smtp="smtp.naver.com",
        domains="naver.com",
        credentials=("password", "app_password"),
        help_url="https://help.naver.com/service/30029/contents/21342?osType=PC&lang=ko",
    ),
)

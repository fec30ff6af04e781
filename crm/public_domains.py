"""Domains in which anybody can have an address: at one of them, nobody belongs to a company for it."""

from __future__ import annotations

from mailaccounts.services.consents.suggest import is_providers_own

# Beside those of the providers that mailaccounts knows how to connect.
_OTHERS = """
    126.com 163.com alice.it arcor.de att.net bellsouth.net bigpond.com bluewin.ch bol.com.br btinternet.com
    charter.net cox.net daum.net duck.com earthlink.net foxmail.com hanmail.net hey.com hushmail.com juno.com
    laposte.net optusnet.com.au pm.me proton.me protonmail.ch protonmail.com qq.com rediffmail.com sbcglobal.net
    seznam.cz sfr.fr sina.com sky.com skynet.be talktalk.net telenet.be terra.com.br tin.it tiscali.it tuta.com tuta.io
    tutanota.com tutanota.de uol.com.br verizon.net virginmedia.com virgilio.it wp.pl ziggo.nl
"""
OTHERS = frozenset(_OTHERS.split())


def is_public(folded: str) -> bool:
    """Whether mail providers give addresses at this (folded) domain to anybody. Asks nobody."""
    return folded in OTHERS or is_providers_own(folded)

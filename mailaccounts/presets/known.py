"""The providers we know, all of them.

Where a comment doesn't name another source, hosts and domains are those of Thunderbird's ISPDB (its files for
customers' own domains name the mail exchangers too); what a provider accepts as a sign-in, and what it wants a person
to do first, is from its own help pages.
"""

from __future__ import annotations

from mailaccounts.presets import america_asia, europe, germany, google, hosting, microsoft, worldwide, zoho

PRESETS = (
    *microsoft.PRESETS,
    *google.PRESETS,
    *worldwide.PRESETS,
    *zoho.PRESETS,
    *germany.PRESETS,
    *europe.PRESETS,
    *america_asia.PRESETS,
    *hosting.PRESETS,
)

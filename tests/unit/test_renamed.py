"""Which of the folders that are missing were renamed."""

from __future__ import annotations

from typing import Any

from mailaccounts.mail.types import FolderInfo, FolderRole, FolderStatus
from mailaccounts.rules.renamed import Missing, Renamed, renamed


def missing(name: str = "Old", **columns: Any) -> Missing:
    return Missing(**{"name": name, "mailbox_id": "", "uidvalidity": 7, "last_uid": 40} | columns)


def fresh(name: str = "New", *, mailbox_id: str = "", uidvalidity: int = 7, uidnext: int = 41) -> FolderInfo:
    status = FolderStatus(uidvalidity=uidvalidity, uidnext=uidnext, exists=3)
    return FolderInfo(
        name=name, delimiter="/", role=FolderRole.OTHER, selectable=True, status=status, mailbox_id=mailbox_id
    )


def test_the_servers_own_name_for_a_folder_is_certain() -> None:
    assert renamed([missing(mailbox_id="F1"), missing("B", mailbox_id="F2")], [fresh(mailbox_id="F1")]) == [
        Renamed(old="Old", new="New", certain=True)
    ]
    assert renamed([missing(mailbox_id="F1")], [fresh(mailbox_id="F9")]) == []


def test_without_it_the_numbering_is_a_hint() -> None:
    assert renamed([missing()], [fresh(), fresh("Other", uidvalidity=8)]) == [
        Renamed(old="Old", new="New", certain=False)
    ]
    assert renamed([missing()], [fresh(uidvalidity=8)]) == []
    assert renamed([missing()], [fresh(uidnext=40)]) == []


def test_a_hint_that_fits_twice_is_none() -> None:
    assert renamed([missing()], [fresh("A"), fresh("B")]) == []
    assert renamed([missing("A"), missing("B")], [fresh()]) == []


def test_each_folder_is_in_one_pair_at_most() -> None:
    pairs = renamed([missing("A", mailbox_id="F1"), missing("B")], [fresh("C", mailbox_id="F1"), fresh("D")])
    assert pairs == [Renamed(old="A", new="C", certain=True), Renamed(old="B", new="D", certain=False)]

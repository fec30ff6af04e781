"""What may happen to a mailbox, as a script: one operation a line, and a model that says what is there afterwards.

    create Projects
    arrive INBOX 4 \\Seen
    move INBOX 4 Projects
    rename Projects Clients
    sync

Letters are numbered. Those whose number is divisible by three are from a stranger and must never be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LASTING = ("INBOX", "Sent", "Trash")
LEFT_OUT = {"Trash"}  # which no sync reads
NAMES = ("Projects", "Clients", "Überweisungen", "Old mail", "A & B")
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")  # not every server keeps keywords
WEIGHTS = {
    "arrive": 30,
    "flag": 14,
    "unflag": 8,
    "move": 12,
    "copy": 6,
    "expunge": 7,
    "create": 4,
    "rename": 3,
    "delete": 2,
    "reset": 2,
    "sync": 6,
}
KINDS = tuple(kind for kind, weight in WEIGHTS.items() for _ in range(weight))

Draw = tuple[int, int, int, int]
Contents = dict[str, dict[int, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Operation:
    """``kind``, the folder it happens in, the letter it happens to, and where to or which flag."""

    kind: str
    folder: str = ""
    number: int = 0
    other: str = ""

    def __str__(self) -> str:
        return " ".join(
            part.replace(" ", "_") for part in (self.kind, self.folder, str(self.number or ""), self.other) if part
        )

    @classmethod
    def read(cls, line: str) -> Operation:
        """A line of a script."""
        kind, *words = (word.replace("_", " ") for word in line.split())
        numbers = [word for word in words[1:2] if word.isdigit()]
        others = words[1 + len(numbers) :]
        return cls(kind, words[0] if words else "", int(numbers[0]) if numbers else 0, others[0] if others else "")


@dataclass(slots=True)
class Model:
    """The folders with their letters' flags, by number. A letter is in a folder at most once."""

    folders: dict[str, dict[int, set[str]]] = field(default_factory=lambda: {name: {} for name in LASTING})
    arrived: int = 0

    def apply(self, done: Operation) -> None:
        here = self.folders.get(done.folder, {})
        match done.kind:
            case "arrive":
                here[done.number] = {done.other} if done.other else set()
                self.arrived = max(self.arrived, done.number)
            case "flag":
                here[done.number].add(done.other)
            case "unflag":
                here[done.number].discard(done.other)
            case "move":
                self.folders[done.other][done.number] = here.pop(done.number)
            case "copy":
                self.folders[done.other][done.number] = set(here[done.number])
            case "expunge":
                del here[done.number]
            case "create":
                self.folders[done.folder] = {}
            case "rename":
                self.folders[done.other] = self.folders.pop(done.folder)
            case "delete":
                del self.folders[done.folder]

    def contents(self) -> Contents:
        return {
            name: {number: frozenset(flags) for number, flags in letters.items()}
            for name, letters in self.folders.items()
        }

    def belongs_into_the_store(self) -> Contents:
        """Folders without anything to store left out."""
        kept = {
            name: {number: flags for number, flags in letters.items() if is_from_contact(number)}
            for name, letters in self.contents().items()
            if name not in LEFT_OUT
        }
        return {name: letters for name, letters in kept.items() if letters}


def is_from_contact(number: int) -> bool:
    return number % 3 != 0


def read_script(text: str) -> list[Operation]:
    return [Operation.read(line) for line in text.splitlines() if line.strip()]


def seeded(length: int, *, seed: int) -> list[Operation]:
    """The same history again for the same seed."""
    rng = Random(seed)  # noqa: S311 - the same history again is the point
    draws: Iterator[Draw] = iter(lambda: tuple(rng.randrange(2**16) for _ in range(4)), None)  # type: ignore[arg-type]  # four they are
    return history(draws, length=length)


def history(draws: Iterable[Draw], *, length: int) -> list[Operation]:
    """Turns numbers, whatever they are, into operations that are possible one after the other."""
    model = Model()
    done: list[Operation] = []
    for draw in draws:
        if len(done) == length:
            break
        operation = _possible(model, *draw)
        if operation is not None:
            model.apply(operation)
            done.append(operation)
    return done


def _possible(model: Model, what: int, where: int, which: int, other: int) -> Operation | None:
    kind = KINDS[what % len(KINDS)]
    filled = [name for name, letters in model.folders.items() if letters]
    made = [name for name in model.folders if name not in LASTING]
    free = [name for name in NAMES if name not in model.folders]
    if kind == "sync":
        return Operation("sync")
    if kind == "arrive":
        folder = _pick([*model.folders, "INBOX", "INBOX", "INBOX"], where)
        return Operation("arrive", folder, model.arrived + 1, _pick(["", "", *FLAGS], other))
    if kind == "create":
        return Operation("create", _pick(free, where)) if free else None
    if kind in {"delete", "reset"}:
        return Operation(kind, _pick(made, where)) if made else None
    if kind == "rename":
        return Operation("rename", _pick(made, where), 0, _pick(free, other)) if made and free else None
    if not filled:
        return None
    folder = _pick(filled, where)
    number = _pick(sorted(model.folders[folder]), which)
    if kind == "expunge":
        return Operation("expunge", folder, number)
    if kind in {"flag", "unflag"}:
        return Operation(kind, folder, number, _pick(FLAGS, other))
    targets = [name for name, letters in model.folders.items() if number not in letters]
    return Operation(kind, folder, number, _pick(targets, other)) if targets else None


def _pick(choices, number: int):  # type: ignore[no-untyped-def]  # of whatever they are
    return choices[number % len(choices)]

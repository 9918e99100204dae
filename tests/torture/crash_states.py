"""What a disk may hold after a power cut, from what was done to it: pure, no disk is asked.

What was written to a file may be missing or cut until the file was waited for; what happened to a name
may be missing until its folder was.  `ORDERED`: names change in their order, as journalling file
systems have it, and waiting for a file waits for its name.  `WEAK`: any of them may be missing, as
POSIX allows.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations, product
from math import prod
from pathlib import PurePosixPath

from tests.torture.tracing import Call

Disk = Mapping[str, bytes | None]
"""Files by path; `None` is a folder."""
MOST_CHOICES = 4000
"""Choices that are listed; of more, as many are drawn."""
NO_DISK = (".lock",)
"""Files that only the kernel's locks are about: nobody reads what they hold."""


class Model(StrEnum):
    """What a file system promises."""

    ORDERED = "ordered"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Name:
    """A name that comes, goes or takes another's place."""

    path: str
    file: int | None = None
    """What it names; `None`: a folder."""
    gone: bool = False
    source: str = ""
    """The name that it had, when it was moved."""

    @property
    def folders(self) -> set[str]:
        """The folders that have to be waited for, each of which is enough here."""
        return {_parent(self.path)}


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes written to a file."""

    file: int
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file that was made shorter, or longer."""

    file: int
    size: int


@dataclass(frozen=True, slots=True)
class Waited:
    """A file or folder that was waited for."""

    file: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody was told."""

    text: bytes


Op = Name | Data | Cut | Waited | Word


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


@dataclass
class _Seen:
    """What is known of files and descriptors while a trace is read."""

    root: str
    files: dict[str, int | None]
    sizes: dict[int, int]
    at: dict[int, int] = field(default_factory=dict)
    end: set[int] = field(default_factory=set)

    def inside(self, path: str) -> bool:
        return path.startswith(self.root + "/") and not path.endswith(NO_DISK)

    def new(self) -> int:
        self.sizes[len(self.sizes)] = 0
        return len(self.sizes) - 1


def read_ops(calls: Iterable[Call], root: str, before: Disk) -> Iterator[Op]:
    """Yield what calls did below `root`, where `before` was on the disk, and what was told meanwhile."""
    seen = _Seen(root, {}, {})
    for path, data in before.items():
        seen.files[path] = None if data is None else seen.new()
        if data is not None:
            seen.sizes[len(seen.sizes) - 1] = len(data)
    for call in calls:
        if call.answer >= 0:
            yield from _ops(call, seen)


def _ops(call: Call, seen: _Seen) -> Iterator[Op]:
    descriptor, path = call.descriptor
    path = path.removesuffix(" (deleted)")
    match call.name:
        case "sendto":
            if call.strings and call.strings[0].endswith(b"\n"):
                yield Word(call.strings[0])
        case "openat" | "open":
            yield from _opened(call, seen)
        case "mkdir" | "mkdirat":
            made = _absolute(call, 0)
            if seen.inside(made):
                seen.files[made] = None
                yield Name(made)
        case "rename" | "renameat" | "renameat2":
            source, target = _absolute(call, 0), _absolute(call, 1)
            if seen.inside(target):
                seen.files[target] = file = seen.files.pop(source)
                yield Name(target, file, source=source)
        case "link" | "linkat":
            source, target = _absolute(call, 0), _absolute(call, 1)
            if seen.inside(target):
                seen.files[target] = file = seen.files[source]
                yield Name(target, file)
        case "unlink" | "unlinkat" | "rmdir":
            gone = _absolute(call, 0)
            if seen.inside(gone):
                yield Name(gone, seen.files.pop(gone), gone=True)
        case "lseek":
            seen.at[descriptor] = call.answer
        case "write" | "pwrite64" if seen.inside(path):
            file = seen.files[path]
            assert file is not None
            data = call.strings[0][: call.answer]
            if call.name == "pwrite64":
                at = int(call.arguments.rsplit(",", 1)[1])
            else:
                at = seen.sizes[file] if descriptor in seen.end else seen.at.get(descriptor, 0)
                seen.at[descriptor] = at + len(data)
            seen.sizes[file] = max(seen.sizes[file], at + len(data))
            yield Data(file, at, data)
        case "ftruncate" if seen.inside(path):
            file = seen.files[path]
            assert file is not None
            seen.sizes[file] = int(call.arguments.rsplit(",", 1)[1])
            yield Cut(file, seen.sizes[file])
        case "fsync" | "fdatasync" if seen.inside(path + "/x"):
            yield Waited(seen.files.get(path), path)


def _opened(call: Call, seen: _Seen) -> Iterator[Op]:
    path = call.opened
    seen.at[call.answer] = 0
    seen.end.discard(call.answer)
    if not seen.inside(path) or "O_DIRECTORY" in call.arguments or "O_CREAT" not in call.arguments:
        made = False
    else:
        made = path not in seen.files
    if made:
        seen.files[path] = file = seen.new()
        yield Name(path, file)
    if "O_APPEND" in call.arguments:
        seen.end.add(call.answer)
    held = seen.files.get(path)
    if "O_TRUNC" in call.arguments and held is not None and not made:
        seen.sizes[held] = 0
        yield Cut(held, 0)


def _absolute(call: Call, number: int) -> str:
    """The path among the strings of a call; the product gives absolute ones."""
    path = call.strings[number].decode()
    assert path.startswith("/"), f"{call.name} has a path that is not absolute: {path}"
    return path


def _lasting(ops: list[Op], model: Model) -> set[int]:
    """The numbers of what no power cut can take away any more."""
    lasting: set[int] = set()
    for number, op in enumerate(ops):
        if not isinstance(op, Waited):
            continue
        names = set()
        for other, one in enumerate(ops[:number]):
            if op.file is not None and isinstance(one, Data | Cut) and one.file == op.file:
                lasting.add(other)
            if isinstance(one, Name) and _waits_for(op, one, model):
                names.add(other)
        if names and model is Model.ORDERED:
            names |= {n for n in range(max(names)) if isinstance(ops[n], Name)}
        lasting |= names
    return lasting


def _waits_for(waited: Waited, name: Name, model: Model) -> bool:
    if waited.file is None:
        return waited.path in name.folders
    created = not name.source and not name.gone
    return model is Model.ORDERED and created and name.file == waited.file


def crash_states(
    ops: list[Op],
    model: Model,
    before: Disk,
    most: int,
    chance: random.Random,
    *,
    every_byte: bool = False,
    below: str = "",
) -> Iterator[dict[str, bytes | None]]:
    """Yield what may be on the disk if the power is cut after `ops`; at most `most` of it.

    Writes arrive not at all, wholly, by half and but for a byte, or up to `every_byte`.  Those to files
    `below` a folder, which nobody ever waits for, arrive by chance in each state: all of them with all
    else would be too many.
    """
    lasting = _lasting(ops, model)
    names = [n for n, op in enumerate(ops) if isinstance(op, Name) and n not in lasting]
    free = [n for n, op in enumerate(ops) if isinstance(op, Data | Cut) and n not in lasting]
    lazy = _files_below(ops, before, below) if below else set()
    loose = [n for n in free if ops[n].file in lazy]
    data = [n for n in free if ops[n].file not in lazy]
    if model is Model.ORDERED:
        kept = [frozenset(names[:count]) for count in range(len(names) + 1)]
    elif len(names) <= 8:
        kept = [frozenset(some) for k in range(len(names) + 1) for some in combinations(names, k)]
    else:
        kept = [frozenset(n for n in names if chance.random() < 0.5) for _ in range(256)]
    ways = [_ways(ops[n], every_byte=every_byte) for n in data]
    if prod(map(len, ways)) <= MOST_CHOICES:
        written = list(product(*ways))
    else:
        written = [tuple(chance.choice(way) for way in ways) for _ in range(MOST_CHOICES // 8)]
    choices = [(some, lengths) for some in kept for lengths in written]
    if len(choices) > most:
        choices = chance.sample(choices, most)
    for some, lengths in choices:
        drawn = {n: chance.choice(_ways(ops[n], every_byte=every_byte)) for n in loose}
        yield _disk(ops, lasting | some, drawn | dict(zip(data, lengths, strict=True)), before)


def _files_below(ops: list[Op], before: Disk, folder: str) -> set[int]:
    """The numbers of the files in a folder, in the order in which `_disk` numbers those of `before`."""
    held = [path for path, data in before.items() if data is not None]
    there = {number for number, path in enumerate(held) if _parent(path) == folder}
    named = (op for op in ops if isinstance(op, Name) and op.file is not None)
    return there | {op.file for op in named if _parent(op.path) == folder and op.file is not None}


def _ways(op: Op, *, every_byte: bool) -> tuple[int, ...]:
    """How many bytes of an operation may have arrived."""
    length = len(op.data) if isinstance(op, Data) else 1
    if every_byte:
        return tuple(range(length + 1))
    return tuple(dict.fromkeys((0, length, length // 2, length - 1)))


def _disk(
    ops: list[Op], lasting: set[int], arrived: Mapping[int, int], before: Disk
) -> dict[str, bytes | None]:
    names: dict[str, int | None] = {}
    held: dict[int, bytearray] = {}
    for path, data in before.items():
        names[path] = None if data is None else len(held)
        if data is not None:
            held[len(held)] = bytearray(data)
    for number, op in enumerate(ops):
        match op:
            case Name() if number in lasting:
                names.pop(op.source, None)
                if op.gone:
                    names.pop(op.path, None)
                else:
                    names[op.path] = op.file
            case Data():
                _write(held, op, len(op.data) if number in lasting else arrived[number])
            case Cut() if number in lasting or arrived[number]:
                bytes_ = held.setdefault(op.file, bytearray())
                del bytes_[op.size :]
                bytes_.extend(bytes(op.size - len(bytes_)))
    there = {path for path, file in names.items() if file is None}
    return {
        path: None if file is None else bytes(held.get(file, b""))
        for path, file in names.items()
        if all(str(up) in there for up in _above(path, before))
    }


def _write(held: dict[int, bytearray], op: Data, length: int) -> None:
    if length:
        there = held.setdefault(op.file, bytearray())
        there.extend(bytes(max(0, op.at - len(there))))
        there[op.at : op.at + length] = op.data[:length]


def _above(path: str, before: Disk) -> Iterator[str]:
    """The folders above a path, up to the first of `before`: its parent was there always."""
    top = min(before, key=len)
    for up in PurePosixPath(path).parents:
        if len(str(up)) >= len(top):
            yield str(up)

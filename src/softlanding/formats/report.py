"""What a reader says about a file, line by line: notes on what it assumed or repaired, faults that it cannot mend."""

from collections import Counter
from dataclasses import dataclass

from softlanding.errors import Fault, Invalid

FAULTS_MAX = 30  # More than that is one mistake many times; nobody reads on.
SPELT_OUT_MAX = 3  # A note that recurs more often is said once, with its count.


@dataclass(frozen=True)
class Note:
    """One thing assumed or repaired: where (`schedule.xml:40`), what, and how often (`where` is the first place)."""

    where: str
    what: str
    times: int = 1

    def __str__(self) -> str:
        more = f" ({self.times} times, first here)" if self.times > 1 else ""
        return f"{self.where}: {self.what}{more}"


class Report:
    """Gathers notes and faults while one file is read: what recurs a million times takes no more room than once."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.other_codes: dict[str, tuple[str, ...]] = {}  # A person's code to those that they may have had before.
        self._notes: dict[str, list[tuple[int, str]]] = {}  # What, and the first places where.
        self._times: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._faults_left_out = 0

    def note(self, line: int, what: str, detail: str = "") -> None:
        """`what` is the same sentence each time it happens, `detail` what differs."""
        self._times[what] += 1
        places = self._notes.setdefault(what, [])
        if len(places) < SPELT_OUT_MAX:
            places.append((line, detail))

    def fault(self, line: int, what: str) -> None:
        if len(self._faults) < FAULTS_MAX:
            self._faults.append(Fault(f"{self.filename}:{line}", what))
        else:
            self._faults_left_out += 1

    def refuse(self, line: int, what: str) -> Invalid:
        """The error to raise at once, with all that was found so far."""
        self.fault(line, what)
        return self._invalid()

    def raise_faults(self) -> None:
        """Raises Invalid with every fault, if there is one."""
        if self._faults:
            raise self._invalid()

    def notes(self) -> tuple[Note, ...]:
        """Notes by line; one that recurs often appears once, with its count."""
        written: list[tuple[int, Note]] = []
        for what, places in self._notes.items():
            times = self._times[what]
            often = times > SPELT_OUT_MAX
            for line, detail in places[:1] if often else places:
                text = f"{what}: {detail}" if detail else what
                written.append((line, Note(f"{self.filename}:{line}", text, times if often else 1)))
        return tuple(note for _, note in sorted(written, key=lambda each: each[0]))

    def _invalid(self) -> Invalid:
        more = [Fault(self.filename, f"and {self._faults_left_out} more faults")] if self._faults_left_out else []
        return Invalid(*self._faults, *more)

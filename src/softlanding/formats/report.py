"""What a reader says about a file, line by line: notes on what it assumed or repaired, faults that it cannot mend."""

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
    """Gathers notes and faults while one file is read."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.other_codes: dict[str, tuple[str, ...]] = {}  # A person's code to those that they may have had before.
        self._notes: list[tuple[int, str, str]] = []
        self._faults: list[Fault] = []

    def note(self, line: int, what: str, detail: str = "") -> None:
        """`what` is the same sentence each time it happens, `detail` what differs."""
        self._notes.append((line, what, detail))

    def fault(self, line: int, what: str) -> None:
        self._faults.append(Fault(f"{self.filename}:{line}", what))

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
        together: dict[str, list[tuple[int, str]]] = {}
        for line, what, detail in self._notes:
            together.setdefault(what, []).append((line, detail))
        written: list[tuple[int, Note]] = []
        for what, places in together.items():
            often = len(places) > SPELT_OUT_MAX
            for line, detail in places[:1] if often else places:
                text = f"{what}: {detail}" if detail else what
                written.append((line, Note(f"{self.filename}:{line}", text, len(places) if often else 1)))
        return tuple(note for _, note in sorted(written, key=lambda each: each[0]))

    def _invalid(self) -> Invalid:
        left_out = len(self._faults) - FAULTS_MAX
        faults = self._faults[:FAULTS_MAX]
        if left_out > 0:
            faults.append(Fault(self.filename, f"and {left_out} more faults"))
        return Invalid(*faults)

"""The few ways to say no. Each is an answer in the domain's words; `web` turns it into a status, once."""

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """How a command or a process ends, for supervisors and scripts (docs/runbook.md has the same table)."""

    DONE = 0
    REFUSED = 1  # What was asked is not so: faulty rows, a refused request, a promise that did not hold.
    USAGE = 2  # The command line cannot be read.
    BUG = 70  # EX_SOFTWARE: a fault of ours; the log says which.
    FENCED = 75  # EX_TEMPFAIL: another process is at work; this one may not go on.
    CANNOT_START = 78  # EX_CONFIG: started again it would end again, unless somebody mends what it names.
    INTERRUPTED = 130


class SoftlandingError(Exception):
    """Base of everything that Softlanding itself says no with. `str()` is a sentence that a person can act on."""


class Refused(SoftlandingError):
    """The domain's rules forbid it (409). Nothing happened."""


class NotFound(SoftlandingError):
    """There is no such thing (404). Nothing happened."""


class Conflict(SoftlandingError):
    """Somebody changed it meanwhile (409). Nothing happened; look again and repeat."""


class Forbidden(SoftlandingError):
    """Who asks may not do this (403). Nothing happened."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with what was given: where (`field`, `row 12`, `file.xml:40`), what, and what to do."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class Invalid(SoftlandingError):
    """What was given cannot be read (422). Nothing happened; all faults are listed at once."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(str(fault) for fault in faults))


class Misconfigured(Invalid):
    """Settings that cannot be used: nothing was started, nothing was touched. All faults are listed at once."""


class Unavailable(SoftlandingError):
    """It cannot be done now (503): nothing happened; the same request with the same key may be sent again.

    `detail` is for operators, in logs and at /state: it may name hosts and users, and visitors never read it.
    """

    def __init__(self, words: str, detail: str | None = None) -> None:
        self.detail = detail
        super().__init__(words)

    @property
    def for_operators(self) -> str:
        return self.detail or str(self)


class TooMany(SoftlandingError):
    """Too much at once from one visitor (429): nothing happened; it may be sent again after `wait_s` seconds."""

    def __init__(self, words: str, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(words)


class OutcomeUnknown(Unavailable):
    """The connection broke during the commit (503): it may have happened; repeat with the same key to learn."""


class Fenced(SoftlandingError):
    """Another process has taken the lease. This one may write no more and ends."""

"""Where secret values come from: today the files of a folder, as Docker, Kubernetes and systemd mount them.

Another source (a vault) is another function that returns `Found`; nothing else has to know.
"""

import stat
from dataclasses import dataclass
from pathlib import Path

from softlanding.errors import Fault

SECRET_BYTES_MAX = 65_536  # A certificate chain fits; a log file that was mounted by mistake does not.


@dataclass(frozen=True)
class Secret:
    """One value: the name it was found under (`nats__password`), its text, and where that is."""

    name: str
    text: str
    origin: str

    def __repr__(self) -> str:
        return f"Secret(name={self.name!r}, origin={self.origin!r})"


@dataclass(frozen=True)
class Found:
    """All that a source gave. Faults forbid the start; warnings are told and passed over."""

    secrets: tuple[Secret, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def read_folder(folder: Path) -> Found:
    """One secret a file: its name is the setting's, its content (without white space at both ends) the value.

    Hidden entries and folders with a dot in their name are passed over: Kubernetes keeps its own there.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not _is_platforms_own(entry))
    except OSError as error:
        return Found(faults=(Fault(str(folder), f"the secrets folder cannot be read ({_reason(error)})"),))
    read = [read_file(entry) for entry in entries]
    secrets = tuple(one for one in read if isinstance(one, Secret))
    faults = tuple(one for one in read if isinstance(one, Fault))
    return Found(secrets, faults, open_to_others(folder, *(Path(secret.origin) for secret in secrets)))


def read_file(path: Path) -> Secret | Fault:
    """The secret in one file, or what is wrong with the file. Never waits: pipes and devices are refused."""
    try:
        content = _content(path)
    except OSError as error:
        return Fault(str(path), f"cannot be read ({_reason(error)}); give this user the right to read it")
    if isinstance(content, Fault):
        return content
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Fault(str(path), "is not text in UTF-8; write the secret as text")
    if not text:
        return Fault(str(path), "is empty; write the secret into it or remove the file")
    if "\0" in text:
        return Fault(str(path), "contains a zero byte; write the secret as text")
    return Secret(path.name, text, str(path))


def open_to_others(folder: Path, *files: Path) -> tuple[Fault, ...]:
    """A warning if every user of the machine can read one of these `files` of `folder`."""
    try:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return ()  # Nobody else can enter, whatever the files say.
        names = [file.name for file in files if file.stat().st_mode & stat.S_IROTH]
    except OSError:
        return ()  # It was readable a moment ago; if it is gone, it is no longer open either.
    if not names:
        return ()
    what = f"every user of this machine can read {', '.join(names)}; close it with: chmod o-rwx"
    return (Fault(str(folder), what),)


def _is_platforms_own(entry: Path) -> bool:
    return entry.name.startswith(".") or ("." in entry.name and entry.is_dir())


def _content(path: Path) -> bytes | Fault:
    if path.is_dir():
        what = "is a folder, not a file (Docker makes one when the file to mount does not exist); mount the file"
        return Fault(str(path), what)
    if not stat.S_ISREG(path.stat().st_mode):
        return Fault(str(path), "is not a regular file; a secret is read from a file")
    with path.open("rb") as file:
        content = file.read(SECRET_BYTES_MAX + 1)
    if len(content) > SECRET_BYTES_MAX:
        return Fault(str(path), f"is larger than {SECRET_BYTES_MAX} bytes; a secret is shorter: is it the right file?")
    return content


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()

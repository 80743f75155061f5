"""Texts from strangers, made fit to show: no control characters, only safe HTML, only addresses one may follow.

Abstracts come as HTML, as Markdown or as plain text, and no format says which. All become safe HTML.
"""

import html
import re
from urllib.parse import quote

import nh3

TAGS = (
    *("p", "br", "hr", "a", "ul", "ol", "li", "strong", "em", "b", "i", "u", "s", "del", "sup", "sub", "code", "pre"),
    *(
        "kbd",
        "abbr",
        "blockquote",
        "h3",
        "h4",
        "h5",
        "h6",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ),
)
_cleaner = nh3.Cleaner(
    tags=set(TAGS),
    attributes={"a": {"href", "title"}, "abbr": {"title"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    url_relative="deny",
    clean_content_tags={"script", "style", "template", "iframe", "object", "svg", "math"},
)
_SEEN = (*TAGS, "h1", "h2", "div", "span", "img", "script", "style", "font")  # A text with one of these is HTML.
_TAG = re.compile(rf"</?(?:{'|'.join(_SEEN)})\b[^<>]*>", re.IGNORECASE)
# Cleaning takes the square of how deep elements are nested, and opens what is open anew in each paragraph. Abstracts
# have tens of elements. Those that hold none of their own kind are not counted as nested.
NESTED_MAX, WORK_MAX = 1_000, 500_000
_OPENING = re.compile(r"<[A-Za-z]")
_NESTING = re.compile(r"<(?!(?:p|br|hr|li)[\s/>])[A-Za-z]", re.IGNORECASE)
_HEADING = re.compile(r"<(/?)h[12]\b", re.IGNORECASE)
# XML 1.0 forbids these; nothing else wants them. Surrogates are halves of characters.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# They turn the direction of what follows, ours included; letters from right to left need none of them.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ANY_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_NOT_IN_URLS = re.compile(r"[^A-Za-z0-9\-._~:/?#@!$&'()*+,;=%\[\]]+")


def plain(text: str) -> str:
    """The text without control characters and surrounding space; lines end in a line feed."""
    return _UNWANTED.sub("", unturned(text).replace("\r\n", "\n").replace("\r", "\n")).strip()


def unturned(text: str) -> str:
    """The text without the marks that turn what stands behind it."""
    return _TURNING.sub("", text)


def one_line(text: str) -> str:
    """The text on one line, single spaces between words: for titles and names."""
    return " ".join(plain(text).split())


def safe_html(text: str) -> str:
    """Safe HTML from HTML, Markdown or plain text. What is safe already comes back unchanged."""
    text = plain(text)
    if not text:
        return ""
    if not _TAG.search(text):
        text = _from_markdown(text)
    if _is_beyond_use(text):
        text = _words_of(text)
    cleaned = plain(_cleaner.clean(_HEADING.sub(r"<\1h3", text)))
    if cleaned and not _TAG.search(cleaned):
        cleaned = f"<p>{cleaned}</p>"  # Else the next reader would take it for Markdown.
    return cleaned


def _is_beyond_use(text: str) -> bool:
    """HTML that nobody has written to be read: cleaning it could take hours."""
    nested = sum(1 for _ in _NESTING.finditer(text))
    return nested > NESTED_MAX or nested * sum(1 for _ in _OPENING.finditer(text)) > WORK_MAX


def _words_of(text: str) -> str:
    """The paragraphs of such HTML without its marks."""
    words = html.unescape(_ANY_TAG.sub("\n\n", text))
    return "\n".join(f"<p>{html.escape(each.strip(), quote=False)}</p>" for each in words.split("\n\n") if each.strip())


def plain_from_html(text: str) -> str:
    """What a calendar or a search shows of safe HTML: paragraphs and list items on lines of their own."""
    text = re.sub(r"<li[^<>]*>", "\n- ", text)
    text = re.sub(r"</(?:p|h\d|ul|ol|pre|blockquote|tr|dt|dd)>|<br[^<>]*>|<hr[^<>]*>", "\n", text)
    lines = html.unescape(re.sub(r"<[^<>]+>", "", text)).split("\n")
    return plain(re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in lines)))


def web_address(text: str) -> str:
    """The http(s) address with all that RFC 3986 forbids escaped, or nothing if it is no such address."""
    text = plain(text)
    match = re.match(r"(https?)://([^/?#\s]+)([^#]*)(?:#(.*))?\Z", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        return ""
    scheme, host, path, fragment = match.groups()
    if not re.fullmatch(r"(?:[\w.~%!$&'()*+,;=:-]+@)?(?:[\w.~%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", host):
        return ""
    host = quote(host, safe="-._~:@%[]!$&'()*+,;=")
    rest = _escaped(path) + (f"#{_escaped(fragment)}" if fragment is not None else "")
    return f"{scheme.lower()}://{host}{rest}"


def _escaped(part: str) -> str:
    part = _NOT_IN_URLS.sub(lambda match: quote(match.group(), safe=""), part)
    part = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", part)
    return part.replace("#", "%23").replace("[", "%5B").replace("]", "%5D")


def _from_markdown(text: str) -> str:
    """The Markdown that abstracts are written in: paragraphs, lists, headings, quotes of code, emphasis, links."""
    blocks = re.split(r"\n[ \t]*\n+", text)
    return "\n".join(_block(block) for block in blocks if block.strip())


def _block(block: str) -> str:
    lines = block.strip("\n").split("\n")
    if all(line.startswith(("    ", "\t")) for line in lines):
        return "<pre>" + html.escape("\n".join(lines), quote=False) + "</pre>"
    written: list[str] = []
    for kind, texts in _runs(lines):
        if kind in ("ul", "ol"):
            written.append(f"<{kind}>" + "".join(f"<li>{_inline(text)}</li>" for text in texts) + f"</{kind}>")
        elif kind == "h3":
            written.extend(f"<h3>{_inline(text)}</h3>" for text in texts)
        else:
            written.append("<p>" + "<br>\n".join(_inline(text) for text in texts) + "</p>")
    return "\n".join(written)


_MARKS = (
    ("ul", re.compile(r"\s{0,3}[-*+•]\s+(.+)")),
    ("ol", re.compile(r"\s{0,3}\d{1,3}[.)]\s+(.+)")),
    ("h3", re.compile(r"#{1,6}\s+([^#\s].*)")),
)


def _runs(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Neighbouring lines of one kind together; a line after a list item that is indented continues the item."""
    runs: list[tuple[str, list[str]]] = []
    for line in lines:
        kind, text = _kind_of(line)
        last = runs[-1] if runs else ("", [])
        if kind == "p" and last[0] in ("ul", "ol") and line.startswith((" ", "\t")):
            last[1][-1] += " " + text
        elif kind == last[0]:
            last[1].append(text)
        else:
            runs.append((kind, [text]))
    return runs


def _kind_of(line: str) -> tuple[str, str]:
    for kind, mark in _MARKS:
        if match := mark.fullmatch(line):
            return kind, match.group(1).rstrip("# \t") if kind == "h3" else match.group(1)
    return "p", line.strip()


_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\[(?P<label>[^\[\]\n]+)\]\((?P<target>(?:https?://|mailto:)[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)"
    r"|<?(?P<bare>https?://[^\s<>]*[^\s<>.,;:!?)\]'\"])>?"
    r"|\*\*(?P<strong>[^*\n]+)\*\*"
    r"|(?<![\w*])\*(?P<em>[^*\s][^*\n]*)\*(?![\w*])"
)


def _inline(text: str) -> str:
    """One line of Markdown as HTML; everything that is not a mark is escaped."""
    written, done = [], 0
    for match in _INLINE.finditer(text):
        written.append(html.escape(text[done : match.start()], quote=False))
        written.append(_marked(match))
        done = match.end()
    return "".join(written) + html.escape(text[done:], quote=False)


def _marked(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    inner = html.escape(match.group(kind), quote=False)
    if kind == "target":
        return f'<a href="{html.escape(match.group("target"))}">{html.escape(match.group("label"), quote=False)}</a>'
    if kind == "bare":
        return f'<a href="{html.escape(match.group("bare"))}">{inner}</a>'
    return f"<{kind}>{inner}</{kind}>"

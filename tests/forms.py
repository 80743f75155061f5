"""What a browser would send of the forms on a page, as they stand there.

for form in forms_of(page): form.action, form.sent, form.typed
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

PASSING = ("csrf", "key", "form")  # Fields that say nothing of what is asked.
NOT_TYPED = ("hidden", "checkbox", "radio", "submit", "button", "file")


@dataclass
class ShownForm:
    action: str
    method: str
    section: str  # The id of the section around it.
    sent: dict[str, str] = field(default_factory=dict)
    typed: dict[str, dict[str, str | None]] = field(default_factory=dict)  # Fields for the keyboard, with their marks.
    choices: dict[str, list[str]] = field(default_factory=dict)
    ticks: list[str] = field(default_factory=list)  # Boxes that may be ticked.
    files: list[str] = field(default_factory=list)


def forms_of(page: str) -> list[ShownForm]:
    return _Reader(page).found


def the_form(page: str, section: str, action_ends: str = "") -> ShownForm:
    """The one form in the section of this id (whose address ends so)."""
    [found] = [one for one in forms_of(page) if one.section == section and one.action.endswith(action_ends)]
    return found


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[ShownForm] = []
        self._sections: list[str] = []
        self._form: ShownForm | None = None
        self._select = self._textarea = ""
        self.feed(page)

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attrs = dict(given)
        if tag == "section":
            self._sections.append(attrs.get("id") or "")
        if tag == "form":
            section = self._sections[-1] if self._sections else ""
            self._form = ShownForm(attrs.get("action") or "", attrs.get("method") or "get", section)
            self.found.append(self._form)
        if self._form is not None:
            self._read(self._form, tag, attrs)

    def handle_startendtag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "section" and self._sections:
            self._sections.pop()
        elif tag == "form":
            self._form = None
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._textarea:
            self._form.sent[self._textarea] += data

    def _read(self, form: ShownForm, tag: str, attrs: dict[str, str | None]) -> None:
        name, kind = attrs.get("name") or "", attrs.get("type") or "text"
        if tag == "input" and kind == "file":
            form.files.append(name)
        elif tag == "input" and kind == "checkbox" and "checked" not in attrs:
            form.ticks.append(name)
        elif tag == "input" and kind == "radio" and "disabled" not in attrs:
            form.choices.setdefault(name, []).append(attrs.get("value") or "")
        elif tag == "input" and name and kind != "radio":
            form.sent[name] = attrs.get("value") or ""  # Of two the last, as the doors take it.
        if (tag == "textarea" or (tag == "input" and kind not in NOT_TYPED)) and name:
            form.typed[name] = attrs
        if tag == "textarea":
            self._textarea = name
            form.sent[name] = ""
        elif tag == "select":
            self._select = name
            form.choices[name] = []
        elif tag == "option":
            value = attrs.get("value") or ""
            form.choices[self._select].append(value)
            if "selected" in attrs or self._select not in form.sent:
                form.sent[self._select] = value
        elif tag == "button" and name and name not in form.sent:
            form.choices.setdefault(name, []).append(attrs.get("value") or "")

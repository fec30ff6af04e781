"""A browser without a screen: follows links and redirects, fills in forms, keeps cookies. Knows no JavaScript."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urljoin

import requests

SECONDS = 40.0

Attributes = dict[str, str]


class PageError(Exception):
    """A page is not what it should be; the text says which and how."""


@dataclass(slots=True, kw_only=True)
class Element:
    """A tag with its attributes and the text in it."""

    tag: str
    attributes: Attributes
    text: str = ""


class Button(NamedTuple):
    """What a button adds to its form; ``action`` is where it sends it instead, "" for where the form says."""

    name: str
    value: str
    action: str


@dataclass(slots=True, kw_only=True)
class Form:
    """``fields`` are what would be sent as it is, ``buttons`` its buttons by their labels."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, Button] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Page:
    """What a browser has of a page."""

    url: str
    status: int
    elements: list[Element]
    forms: list[Form]

    def having(self, attribute: str) -> list[Element]:
        """The elements with an attribute."""
        return [element for element in self.elements if attribute in element.attributes]

    def value(self, attribute: str) -> str:
        """The value of an attribute that one element of the page has; PageError when none has it."""
        found = self.having(attribute)
        if not found:
            raise PageError(f"{self.url} (HTTP {self.status}) shows nothing with {attribute}: {self.heading}")
        return found[0].attributes[attribute]

    def figure(self, label: str) -> str:
        """What stands beside ``label`` in a list of facts."""
        terms = [element for element in self.elements if element.tag in {"dt", "dd"}]
        for term, description in pairwise(terms):
            if term.tag == "dt" and term.text == label:
                return description.text
        raise PageError(f"{self.url} doesn't tell: {label}")

    def link(self, text: str) -> str:
        """Where the link leads that reads ``text``."""
        for element in self.elements:
            if element.tag == "a" and element.text == text:
                return urljoin(self.url, element.attributes["href"])
        raise PageError(f"{self.url} has no link {text!r}")

    def form(self, *names: str) -> Form:
        """The form that has fields or buttons with these names."""
        for form in self.forms:
            offered = {*form.fields, *(button.name for button in form.buttons.values())}
            if offered >= set(names):
                return form
        raise PageError(f"{self.url} (HTTP {self.status}) has no form for {', '.join(names)}: {self.heading}")

    @property
    def trouble(self) -> str:
        """The code of what went wrong, where the page tells of something."""
        found = self.having("data-code")
        return found[0].attributes["data-code"] if found else ""

    @property
    def heading(self) -> str:
        return " / ".join(element.text for element in self.elements if element.tag in {"h1", "title"} and element.text)


class Browser:
    """Starts at ``home``; trusts ``ca_file`` for https, and takes nothing from the environment."""

    def __init__(self, home: str, *, ca_file: str) -> None:
        self._home = home
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.headers["User-Agent"] = "django-mailaccounts demo"

    def get(self, url: str) -> Page:
        """Opens a page, by its path or its whole URL; PageError unless it is there."""
        return self._page(self._session.get(urljoin(self._home, url), timeout=SECONDS))

    def submit(self, page: Page, form: Form, *, button: str = "", **values: str) -> Page:
        """Fills in ``values``, presses the button of that label, and goes where it leads; PageError without one."""
        if button and button not in form.buttons:
            raise PageError(f"{page.url} has no button {button!r}: {page.trouble or page.heading}")
        pressed = form.buttons[button] if button else Button("", "", "")
        data = {**form.fields, **values, **({pressed.name: pressed.value} if pressed.name else {})}
        url = urljoin(page.url, pressed.action or form.action or page.url)
        headers = {"Referer": page.url}  # Django wants it over https
        return self._page(self._session.post(url, data=data, headers=headers, timeout=SECONDS))

    def _page(self, response: requests.Response) -> Page:
        reader = _Reader()
        reader.feed(response.text)
        page = Page(url=response.url, status=response.status_code, elements=reader.elements, forms=reader.forms)
        if not response.ok:
            raise PageError(f"{response.url.partition('?')[0]} answered {response.status_code}: {page.heading}")
        return page


class _Reader(HTMLParser):
    """Collects elements with their text, and forms."""

    EMPTY = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.forms: list[Form] = []
        self._open: list[Element] = []
        self._in_form = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag=tag, attributes={name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag == "form":
            get = element.attributes.get
            self.forms.append(Form(action=get("action", ""), method=get("method", "get").lower()))
            self._in_form = True
        elif self._in_form:
            self._control(element)
        if tag not in self.EMPTY:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            element = self._open.pop()
            element.text = " ".join(element.text.split())
            if self._open:
                self._open[-1].text += f" {element.text}"
            if element.tag == "button" and self._in_form:
                get = element.attributes.get
                button = Button(get("name", ""), get("value", ""), get("formaction", ""))
                self.forms[-1].buttons[element.text] = button
            if element.tag == tag:
                break
        if tag == "form":
            self._in_form = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def _control(self, element: Element) -> None:
        get, fields = element.attributes.get, self.forms[-1].fields
        name, kind = get("name", ""), get("type", "text")
        if element.tag == "select":
            self._select = name
        elif element.tag == "option" and self._select:
            if "selected" in element.attributes or self._select not in fields:
                fields[self._select] = get("value", "")
        elif element.tag == "input" and name and kind not in {"submit", "button", "file"}:
            if kind not in {"checkbox", "radio"} or "checked" in element.attributes:
                fields[name] = get("value", "")
        elif element.tag == "textarea" and name:
            fields[name] = ""

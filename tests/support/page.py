"""A page as a customer meets it: read its text, fill its forms, press its buttons, follow its links.

    page = Page.get(client, "/connexion")
    page = page.form("sign-in").fill(email="claire@example.be", password="…").submit()
    assert page.text("h1") == "Formule et facturation"

A form sends what a browser would: its hidden fields, the CSRF token, its defaults and the button pressed.
"""

import re
from collections.abc import Iterable
from typing import Any

import lxml.html
from flask.testing import FlaskClient
from lxml.html import FormElement, HtmlElement
from werkzeug.test import TestResponse

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
# What differs from one answer to the next and means nothing to a reader.
CHANGING = re.compile(
    r'((?:name="(?:csrf_token|idempotency_key)"[^>]*?value|hx-nonce|nonce|name="csrf-token" content)=")[^"]*(")'
)


class Page:
    """One answer of the portal. Redirects of forms are followed, as a browser does."""

    def __init__(self, client: FlaskClient, response: TestResponse) -> None:
        self.client = client
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.get_data(as_text=True)
        self.is_fragment = "<html" not in self.html
        if self.is_fragment:
            self.root = lxml.html.fragment_fromstring(self.html, create_parent="div")
        else:
            self.root = lxml.html.document_fromstring(self.html)

    @classmethod
    def get(cls, client: FlaskClient, address: str, *, htmx: bool = False, **query: Any) -> "Page":
        headers = HTMX if htmx else None
        return cls(
            client, client.get(address, query_string=query or None, headers=headers, follow_redirects=True)
        )

    @property
    def address(self) -> str:
        """The path and query of the page that was finally shown."""
        return self.response.request.full_path.rstrip("?")

    @property
    def title(self) -> str:
        return self.text("title")

    @property
    def ids(self) -> list[str]:
        """The ids of the outermost elements, in order: what a fragment will replace."""
        holder = self.root if self.is_fragment else self.root.find("body")
        return [element.get("id", "") for element in holder if isinstance(element.tag, str)]

    def all(self, css: str) -> list[HtmlElement]:
        return list(self.root.cssselect(css))

    def one(self, css: str) -> HtmlElement:
        found = self.all(css)
        assert len(found) == 1, f"{len(found)} elements match {css!r} on {self.address}, one was expected"
        return found[0]

    def has(self, css: str) -> bool:
        return bool(self.all(css))

    def text(self, css: str = "body") -> str:
        """The words of the one element that matches, with single plain spaces between them."""
        return words(self.one(css))

    def texts(self, css: str) -> list[str]:
        return [words(element) for element in self.all(css)]

    def piece(self, element_id: str) -> str:
        """The markup of one element, without what changes at each answer: to compare a swap with its page."""
        markup = lxml.html.tostring(self.one(f"[id='{element_id}']"), encoding="unicode", with_tail=False)
        return re.sub(r"\s+", " ", CHANGING.sub(r"\1…\2", markup)).strip()

    def form(self, form_id: str = "", *, action: str = "") -> "Form":
        """The form of that id, or the one whose action ends so, or the only form of the page's main part."""
        if form_id:
            chosen = self.all(f"form[id='{form_id}'], [id='{form_id}'] form")
        elif action:
            chosen = [form for form in self.all("form") if (form.get("action") or "").endswith(action)]
        else:
            chosen = self.all("main form") or self.all("form")
        assert len(chosen) == 1, (
            f"{len(chosen)} forms for {form_id or action!r} on {self.address}: {self.text()[:300]}"
        )
        return Form(self, chosen[0])

    def follow(self, link: str, *, htmx: bool = False) -> "Page":
        """Follow the link with these words, or matching this selector when it starts with # . or [."""
        if link[0] in "#.[":
            found = self.all(link)
        else:
            found = [anchor for anchor in self.all("a[href]") if words(anchor) == link]
        assert found, f"no link {link!r} on {self.address}"
        return Page.get(self.client, found[0].get("href"), htmx=htmx)

    def reload(self) -> "Page":
        return Page.get(self.client, self.address)


class Form:
    """One form of a page, with its controls as they stand."""

    def __init__(self, page: Page, element: FormElement) -> None:
        self.page = page
        self.element = element
        self.values: dict[str, list[str]] = {}
        for name, value in self._fields():
            self.values.setdefault(name, []).append(value)

    def _fields(self) -> Iterable[tuple[str, str]]:
        yield from self.element.form_values()
        form_id = self.element.get("id")
        if form_id:  # controls that stand elsewhere and name their form
            for control in self.page.all(f"[form='{form_id}'][name]"):
                if control.get("type") not in {"submit", "button"} and control.getroottree() is not None:
                    if self.element in control.iterancestors():
                        continue
                    if control.get("type") in {"checkbox", "radio"} and control.get("checked") is None:
                        continue
                    yield control.get("name"), control.get("value") or "on"

    def fill(self, **values: Any) -> "Form":
        """Give values by field name. True checks a box, False and None clear it; a list gives several values."""
        for name, value in values.items():
            if value is None or value is False:
                self.values.pop(name, None)
            elif isinstance(value, list | tuple):
                self.values[name] = [str(each) for each in value]
            else:
                self.values[name] = [self._checked_value(name) if value is True else str(value)]
        return self

    def _checked_value(self, name: str) -> str:
        boxes = self.element.cssselect(f"input[type=checkbox][name='{name}']")
        return (boxes[0].get("value") or "on") if boxes else "on"

    def error(self, name: str) -> str:
        """The message beside a field, or nothing."""
        control = self.element.cssselect(f"[name='{name}']")[0]
        ids = (control.get("aria-describedby") or "").split()
        return next((words(self.page.one(f"[id='{each}']")) for each in ids if each.endswith("-error")), "")

    def submit(self, button: str = "", *, htmx: bool = False, **headers: str) -> Page:
        """Press the button with these words or this name=value, or the first; as htmx would, if asked."""
        pressed = self._button(button)
        data = {name: list(values) for name, values in self.values.items()}
        if pressed is not None and pressed.get("name"):
            data.setdefault(pressed.get("name"), []).append(pressed.get("value") or "")
        action = (pressed.get("formaction") if pressed is not None else None) or self.element.get("action")
        action = action or self.page.address
        client = self.page.client
        sent = (HTMX if htmx else {}) | {"Sec-Fetch-Site": "same-origin"} | headers
        if htmx:
            swap = pressed if pressed is not None and pressed.get("hx-post") else self.element
            assert swap.get("hx-post") or swap.get("hx-get"), f"the form of {action} has no hx-post"
            action = swap.get("hx-post") or swap.get("hx-get") or action
        if (self.element.get("method") or "get").lower() == "get":
            return Page(client, client.get(action, query_string=data, headers=sent, follow_redirects=True))
        return Page(client, client.post(action, data=data, headers=sent, follow_redirects=True))

    def _button(self, wanted: str) -> HtmlElement | None:
        buttons = self.element.cssselect("button:not([type=button]), input[type=submit]")
        if form_id := self.element.get("id"):
            buttons += self.page.all(f"button[form='{form_id}']")
        if not wanted:
            return buttons[0] if buttons else None
        for button in buttons:
            if wanted in (words(button), f"{button.get('name')}={button.get('value')}", button.get("value")):
                return button
        raise AssertionError(f"no button {wanted!r} among {[words(button) for button in buttons]}")


def words(element: HtmlElement) -> str:
    """Text as read: one plain space wherever there are spaces, the French ones included."""
    return re.sub(r"\s+", " ", element.text_content()).strip()

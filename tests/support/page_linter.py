"""What every page must hold, told as sentences: `problems(html)` is empty for a good page.

Structure (one h1, title, language, unique ids, labels), nothing inline, htmx on working forms and links only,
and French typography where the text is French.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import lxml.html
from lxml.html import HtmlElement

NARROW, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
NOT_TEXT = {"script", "style", "template", "code", "svg", "kbd", "pre"}
HTMX_REQUESTS = ("hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete")
SILENT_INPUTS = {"hidden", "submit", "button", "image", "reset"}
ADDRESSES = re.compile(r"https?://\S+|\S+@\S+|\d{1,2}:\d{2}|otpauth:\S+")

FRENCH = (
    (re.compile(r"[^\s\u202f\u00a0;?!…(][;?!](?=\s|$)"), "no narrow space before {sign!r}"),
    (re.compile(r"[ \u00a0\t\n][;?!]"), "a plain or wide space before {sign!r}, U+202F is needed"),
    (re.compile(r"[ \u202f\t\n]:(?=\s|$)"), "a plain or narrow space before ':', U+00A0 is needed"),
    (re.compile(r"\w:(?=\s|$)"), "no space before ':', U+00A0 is needed"),
    (re.compile(r"\d[ \u202f\t\n]?[€%]"), "no U+00A0 before {sign!r}"),
    (re.compile(r"«(?!\u00a0)"), "no U+00A0 after «"),
    (re.compile(r"(?<!\u00a0)»"), "no U+00A0 before »"),
    (re.compile(r"[^\W\d_]'[^\W\d_]"), "a straight apostrophe, ’ is needed"),
    (re.compile(r"\.\.\."), "three dots, … is needed"),
    (re.compile(r"(?<=\s)\"\w|\w\"(?=[\s.,])"), "straight quotes, « » are needed"),
)


def problems(html: str) -> list[str]:
    """One sentence per fault of a full page, or of a fragment (which is judged without head, title and h1)."""
    if "<html" not in html:
        root = lxml.html.fragment_fromstring(html, create_parent="div")
        return [*_structure(root), *_inline(root), *_forms(root), *_htmx(root), *_typography(root, "fr")]
    root = lxml.html.document_fromstring(html)
    language = root.get("lang") or ""
    return [
        *_page(root, html),
        *_structure(root),
        *_inline(root),
        *_forms(root),
        *_htmx(root),
        *_typography(root, language),
    ]


def _where(element: HtmlElement) -> str:
    tag = lxml.html.tostring(element, encoding="unicode", with_tail=False)
    return re.sub(r"\s+", " ", tag)[:110]


def _page(root: HtmlElement, html: str) -> Iterator[str]:
    if not html.lstrip().lower().startswith("<!doctype html>"):
        yield "The page does not start with <!doctype html>"
    if root.get("lang") not in {"fr", "nl", "en"}:
        yield f'<html lang="{root.get("lang")}"> is not fr, nl or en'
    titles = root.cssselect("head > title")
    if len(titles) != 1 or not titles[0].text_content().strip():
        yield "The page needs one title with words"
    headings = root.cssselect("h1")
    if len(headings) != 1:
        yield f"The page has {len(headings)} h1 instead of one"
    if len(root.cssselect("main")) != 1:
        yield "The page needs one main"
    if not root.cssselect("meta[name=viewport]"):
        yield "The page has no viewport meta"


def _structure(root: HtmlElement) -> Iterator[str]:
    counted = Counter(element.get("id") for element in root.cssselect("[id]"))
    for element_id, times in counted.items():
        if times > 1 or not element_id:
            yield f"The id {element_id!r} is there {times} times"
    ids = set(counted)
    for attribute in (
        "aria-labelledby",
        "aria-describedby",
        "aria-controls",
        "for",
        "form",
        "popovertarget",
        "list",
    ):
        for element in root.cssselect(f"[{attribute}]"):
            missing = set(element.get(attribute).split()) - ids
            if missing and root.find("body") is not None:
                yield f"{attribute} names {sorted(missing)}, which is not on the page: {_where(element)}"
    for link in root.cssselect("a"):
        if not (link.get("href") or "").strip() or link.get("href") in {"#", "javascript:"}:
            yield f"A link leads nowhere: {_where(link)}"
        if not link.text_content().strip() and not (
            link.get("aria-label") or link.cssselect("[alt]:not([alt=''])")
        ):
            yield f"A link has no words: {_where(link)}"
    for image in root.cssselect("img"):
        if image.get("alt") is None:
            yield f"An image has no alt: {_where(image)}"
    for drawing in root.cssselect("svg:not([aria-hidden=true])"):
        hidden = any(parent.get("aria-hidden") == "true" for parent in drawing.iterancestors())
        if not hidden and drawing.get("role") != "img":
            yield f"A drawing is neither hidden nor named: {_where(drawing)}"
    for button in root.cssselect("button"):
        if button.get("type") not in {"submit", "button", "reset"}:
            yield f"A button does not say its type: {_where(button)}"
        if not button.text_content().strip() and not button.get("aria-label"):
            yield f"A button has no words: {_where(button)}"
    for element in root.cssselect("[tabindex]"):
        if element.get("tabindex") not in {"0", "-1"}:
            yield f"A positive tabindex: {_where(element)}"
    levels = [
        int(heading.tag[1]) for heading in root.cssselect("main h1, main h2, main h3, main h4, main h5")
    ]
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            yield f"A heading h{after} follows an h{before}"


def _inline(root: HtmlElement) -> Iterator[str]:
    for style in root.cssselect("style, [style]"):
        yield f"Inline style: {_where(style)}"
    for script in root.cssselect("script:not([src])"):
        yield f"Inline script: {_where(script)}"
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        for name, value in element.attrib.items():
            if name.startswith(("on", "hx-on")):
                yield f"Inline handler {name}: {_where(element)}"
            if value.strip().lower().startswith(("javascript:", "js:")):
                yield f"Script in {name}: {_where(element)}"


def _forms(root: HtmlElement) -> Iterator[str]:
    labelled = {label.get("for") for label in root.cssselect("label[for]")}
    for control in root.cssselect("input, select, textarea"):
        if control.get("type") in SILENT_INPUTS:
            continue
        inside = any(parent.tag == "label" for parent in control.iterancestors())
        named = control.get("aria-label") or control.get("aria-labelledby")
        if not (inside or named or control.get("id") in labelled):
            yield f"A control has no label: {_where(control)}"
    for form in root.cssselect("form"):
        method = (form.get("method") or "get").lower()
        if not form.get("action"):
            yield f"A form does not say its action: {_where(form)}"
        if method == "post" and not form.cssselect("input[name=csrf_token]"):
            yield f"A form that changes something has no csrf_token: {_where(form)}"
        if method == "dialog":
            continue
        elsewhere = root.cssselect(f"button[form='{form.get('id')}']") if form.get("id") else []
        if not form.cssselect("button:not([type=button]), input[type=submit]") and not elsewhere:
            yield f"A form has no button to send it: {_where(form)}"


def _htmx(root: HtmlElement) -> Iterator[str]:
    for element in root.cssselect(", ".join(f"[{name}]" for name in HTMX_REQUESTS)):
        if not element.get("hx-nonce"):
            yield f"An element with hx-* has no hx-nonce: {_where(element)}"
        if element.get("hx-trigger", "").startswith("every"):
            continue  # a part that refreshes itself: without scripts the page is reloaded
        asked = element.get("hx-get") or element.get("hx-post") or ""
        plain = element.get("href") or element.get("action") or element.get("formaction")
        owner = element
        if plain is None and element.tag in {"button", "input", "select", "textarea"}:
            form_id = element.get("form")
            forms = root.cssselect(f"form[id='{form_id}']") if form_id else []
            owner = next(
                iter(forms or [each for each in element.iterancestors() if each.tag == "form"]), element
            )
            plain = owner.get("action")
        if owner.tag not in {"a", "form", "button"} or plain is None:
            yield f"hx-* on what is neither a link nor a form that works without scripts: {_where(element)}"
            continue
        if element.get("hx-post") and (owner.get("method") or "").lower() != "post" and owner.tag == "form":
            yield f"hx-post on a form that is not method=post: {_where(element)}"
        if asked.split("?")[0] != plain.split("?")[0] and element.tag in {"a", "form"}:
            yield f"htmx asks {asked} where the plain element asks {plain}: {_where(element)}"


def _typography(root: HtmlElement, language: str) -> Iterator[str]:
    for text, spoken in _texts(root, language):
        plain = ADDRESSES.sub("", text)
        if re.search(r"%\(\w+\)", plain):
            yield f"A placeholder was not filled: {text.strip()[:80]!r}"
        if spoken != "fr":
            continue
        for pattern, sentence in FRENCH:
            if found := pattern.search(plain):
                around = plain[max(0, found.start() - 25) : found.end() + 15]
                yield f"French: {sentence.format(sign=found.group()[-1])} in {around!r}"


def _texts(element: HtmlElement, language: str) -> Iterator[tuple[str, str]]:
    """Each run of words with the language it is in; phrases broken by inline elements are joined."""
    if not isinstance(element.tag, str) or element.tag in NOT_TEXT:
        return
    language = element.get("lang") or language
    for name in ("title", "alt", "aria-label", "placeholder", "data-label"):
        if element.get(name):
            yield element.get(name), language
    inline = {"a", "b", "strong", "em", "small", "span", "sup", "abbr", "time", "i", "bdi", "data", "wbr"}
    if all(
        not isinstance(child.tag, str) or child.tag in inline | NOT_TEXT
        for child in element.iterdescendants()
    ) and not any(child.get("lang") for child in element.iterdescendants() if isinstance(child.tag, str)):
        yield _spoken(element), language
        return
    if element.text and element.text.strip():
        yield element.text, language
    for child in element:
        yield from _texts(child, language)
        if child.tail and child.tail.strip():
            yield child.tail, language


def _spoken(element: HtmlElement) -> str:
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str) and child.tag not in NOT_TEXT:
            parts.append(_spoken(child))
        parts.append(child.tail or "")
    return "".join(parts)

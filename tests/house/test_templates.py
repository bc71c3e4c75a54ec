"""Every template compiles in every language, says everything through `|t`, and works without scripts."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from webapp.i18n import LANGUAGES
from webapp.templating import TEMPLATES, make_environment

NAMES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file())
PAGES = [name for name in NAMES if name.endswith(".html")]

# Where `|safe` is needed, and why nothing of a customer can pass through it.
SAFE_ALLOWED: set[str] = set()
# Words that are the same in the three languages.
WORDS_ALIKE = {"PDF", "XML", "CSV", "ZIP", "SEPA", "Peppol", "QR", "IBAN", "BIC", "er"}
READ_ATTRIBUTES = {"aria-label", "title", "alt", "placeholder", "data-label", "aria-description"}
REQUESTS = ("hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete")


def source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def without_jinja(text: str) -> str:
    """The HTML that the author typed: expressions become `0`, statements and comments disappear."""
    text = re.sub(r"{#.*?#}", "", text, flags=re.S)
    text = re.sub(r"{%.*?%}", " ", text, flags=re.S)
    return re.sub(r"{{.*?}}", "0", text, flags=re.S)


class Parts(HTMLParser):
    """The tags with their attributes, and the words between them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.text = ""
        self.feed(without_jinja(source(name)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data
        self.words += re.findall(r"[^\W\d_]{2,}(?:-\d)?", data)


def tags(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    yield from Parts(name).tags


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_every_template_compiles_in_every_language(name: str, language: str) -> None:
    make_environment(language, markup=name.endswith(".html")).compile(source(name), name)


@pytest.mark.parametrize("name", PAGES)
def test_every_word_goes_through_the_catalogues(name: str) -> None:
    written = [word for word in Parts(name).words if word not in WORDS_ALIKE]
    assert written == [], 'write {{ "…"|t }} around what people read'
    for tag, attributes in tags(name):
        for attribute in READ_ATTRIBUTES & set(attributes):
            words = set(re.findall(r"[^\W\d_]{2,}", attributes[attribute])) - WORDS_ALIKE
            assert not words, f'<{tag} {attribute}="…">: write {{{{ "…"|t }}}} in it'


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_inline(name: str) -> None:
    for tag, attributes in tags(name):
        assert tag != "style", "styles belong in webapp/static/css"
        assert "style" not in attributes, f"<{tag} style>: the content policy refuses it; write a class"
        assert tag != "script" or "src" in attributes, "scripts belong in webapp/static"
        handlers = [key for key in attributes if key.startswith(("on", "hx-on"))]
        assert not handlers, f"<{tag} {handlers[0]}>: listen in app.js instead"
        assert not any(value.startswith("js:") for value in attributes.values()), f"<{tag}>: js: is refused"


@pytest.mark.parametrize("name", PAGES)
def test_htmx_repeats_a_form_or_a_link_that_works_without_it(name: str) -> None:
    for tag, attributes in tags(name):
        if "hx-boost" in attributes:
            pytest.fail("pages load in full: hx-boost is not used")
        asked = [key for key in REQUESTS if key in attributes]
        if not asked:
            continue
        works = (tag == "a" and "href" in attributes) or "action" in attributes or "formaction" in attributes
        assert works, f"<{tag} {asked[0]}> does nothing without scripts: put it on a form or a link"
        if asked[0] == "hx-post" and tag == "form":
            assert attributes.get("method") == "post", 'a form that posts says method="post" too'
        assert "hx-nonce" in attributes, (
            f'<{tag} {asked[0]}>: add hx-nonce="{{{{ csp_nonce() }}}}", else hx-csp strips it'
        )


@pytest.mark.parametrize("name", PAGES)
def test_a_form_that_posts_carries_its_token(name: str) -> None:
    text = re.sub(r"{#.*?#}", "", source(name), flags=re.S)
    text = re.sub(r'{%-? include "([^"]+)" -?%}', lambda included: source(included[1]), text)
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, flags=re.S):
        assert re.search(r"csrf_token|csrf\(\)|hidden_tag", form), (
            "add {{ csrf() }} from components/forms.html"
        )


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_declared_safe_without_a_reason(name: str) -> None:
    found = re.findall(r"\|\s*safe\b|{%\s*autoescape", source(name))
    assert not found or name in SAFE_ALLOWED, (
        "escape it, or build Markup in Python and say here why it is safe"
    )


@pytest.mark.parametrize("name", [name for name in PAGES if Path(name).name.startswith("_")])
def test_a_fragment_says_what_it_is_and_what_it_expects(name: str) -> None:
    assert source(name).startswith("{#"), "begin with a comment: what it shows, and the names it expects"


@pytest.mark.parametrize("name", PAGES)
def test_amounts_are_never_glued_together(name: str) -> None:
    text = re.sub(r"{#.*?#}", "", source(name), flags=re.S)
    assert not re.search("[€%]", Parts(name).text), "amounts and rates go through |money and |percent"
    assert not re.search(r"_cents\s*[-+*/]", text), "templates show, they do not compute"
    assert not re.search(r"strftime", text), "dates go through |date or |short_date"

"""What `webapp.compiling` works out beforehand changes no byte of a page."""

import re
from datetime import date

import pytest
from jinja2 import Template, pass_context
from jinja2.compiler import CodeGenerator
from markupsafe import escape

from tests.builders import a_subscription, a_user
from tests.support.signing_in import sign_in
from webapp import rendering
from webapp.compiling import PageEnvironment
from webapp.i18n import LANGUAGES
from webapp.services.subscriptions import NewOption

TODAY = date(2026, 11, 16)
PATHS = (
    "",
    "/options",
    "/etablissements",
    "/formules",
    "/formules/premium/apercu",
    "/engagement",
    "/resilier",
)
MADE_BY_US = rendering.environment
# What is drawn at random for each answer.
ONCE = re.compile(r'((?:nonce|content|value)=")[\w.-]{20,}(")')


def as_jinja_would(language: str, in_embed: bool) -> PageEnvironment:
    """The same environment without our compiler: files apart, functions called and values escaped by Jinja."""
    plain = MADE_BY_US.__wrapped__(language, in_embed)
    plain.template_class, plain.code_generator_class = Template, CodeGenerator
    plain.auto_reload, plain.constants = True, {}
    return plain


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_to_the_byte_what_jinja_makes_of_its_files(client, session, clock, monkeypatch, language):
    clock.set(TODAY)
    options = [NewOption("emails", 4), NewOption("signage"), NewOption("booking", at=1)]
    signed = a_subscription(session, establishments=3, options=options, billed_through=TODAY)
    sign_in(client, session, a_user(session, signed.account, language=language))
    pages = [client.get(f"/abonnements/{signed.id}{path}") for path in PATHS]
    assert {page.status_code for page in pages} == {200}
    monkeypatch.setattr(rendering, "environment", as_jinja_would)
    for path, page in zip(PATHS, pages, strict=True):
        plain = client.get(f"/abonnements/{signed.id}{path}")
        assert ONCE.sub(r"\1\2", page.text) == ONCE.sub(r"\1\2", plain.text), path


@pytest.mark.parametrize("value", ["<a> & \"b\" 'c'", "déjà", 3, None])
def test_values_are_escaped_as_ever(value):
    made = PageEnvironment(autoescape=True)
    assert made.from_string("{{ value }}").render(value=value) == str(escape(value))


def test_a_function_that_asks_for_the_context_is_refused_at_the_start():
    made = PageEnvironment()
    made.globals["where"] = pass_context(lambda context: context.name)
    with pytest.raises(ValueError, match="where"):
        made.refuse_what_asks_for_the_context()

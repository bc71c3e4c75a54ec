"""Three languages, complete: each sentence, each refusal, each message of a form."""

import dataclasses
import re
from datetime import date
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from pkgutil import walk_packages

import pytest
from babel.messages.pofile import read_po

import webapp
from webapp.domain import refusals
from webapp.domain.money import Money
from webapp.domain.refusals import Refusal
from webapp.i18n import (
    EXPLANATIONS,
    LANGUAGES,
    SPECIAL_EXPLANATIONS,
    WTFORMS_PLURALS,
    WTFORMS_SENTENCES,
    FormTranslations,
    catalogue,
    choose_locale,
    explain,
    gettext,
    ngettext,
    translate,
)
from webapp.templating import make_environment
from webapp.translating import FOLDER, check, extract, msgids_of_template, with_french_spaces

ALLOWED_MARKUP = {"strong", "b", "em", "small", "sup", "br"}
FACTS: dict[str, object] = {
    "date": date(2026, 12, 1),
    "int": 3,
    "str": "exemple",
    "tuple[str, ...]": ("booking", "signage"),
    "date | None": date(2026, 12, 1),
    "str | None": "exemple",
    "Money": Money(1200),
}


def every_refusal(kind: type[Refusal] = Refusal) -> list[type[Refusal]]:
    for module in walk_packages(webapp.domain.__path__, "webapp.domain."):
        import_module(module.name)
    return [found for direct in kind.__subclasses__() for found in (direct, *every_refusal(direct))]


def an_example(kind: type[Refusal]) -> Refusal:
    facts = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        name = str(field.type) if "[" in str(field.type) or "|" in str(field.type) else name
        assert name in FACTS, f"{kind.__name__}.{field.name}: add an example of {name} to FACTS in this test"
        facts[field.name] = FACTS[name]
    return kind(**facts)


def test_every_sentence_is_translated_into_every_language() -> None:
    assert check() == [], "run make translate, then fill in what is empty in translations/"


def test_the_template_of_the_catalogues_holds_the_sentences_of_today() -> None:
    with (FOLDER / "messages.pot").open("rb") as file:
        kept = {message.id for message in read_po(file)}
    assert kept == {message.id for message in extract()}, "run make translate"


def test_sentences_hold_no_markup_but_emphasis() -> None:
    for language in LANGUAGES:
        for text in (*catalogue(language).singles.values(), *sum(catalogue(language).plurals.values(), ())):
            assert set(re.findall(r"</?([a-z]+)", text)) <= ALLOWED_MARKUP, f"{language}: {text}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_has_its_sentence(language: str) -> None:
    for kind in every_refusal():
        assert kind.__name__ in EXPLANATIONS | SPECIAL_EXPLANATIONS, (
            f"write the sentence of {kind.__name__} in webapp/i18n.py"
        )
        sentence = explain(an_example(kind), language)
        assert sentence.endswith((".", "!", "?")), f"{kind.__name__} says no sentence: {sentence!r}"
        assert "%(" not in sentence


def test_no_sentence_is_kept_for_a_refusal_that_is_gone() -> None:
    assert set(EXPLANATIONS | SPECIAL_EXPLANATIONS) == {kind.__name__ for kind in every_refusal()}


def test_each_reason_of_a_weak_password_has_its_own_words() -> None:
    said = {explain(refusals.PasswordTooWeak(reason), "fr") for reason in ("short", "long", "common")}
    assert len(said) == 3


def test_a_refusal_speaks_the_readers_language_and_names_things_as_the_catalogue_does() -> None:
    refusal = refusals.OptionsNotOffered(option_codes=("booking", "signage"), plan_code="essential")
    names = {"booking": "Réservation en ligne", "signage": "Affichage digital", "essential": "Essentiel"}
    assert explain(refusal, "fr", names) == (
        "La formule Essentiel ne propose pas des options que vous utilisez\u00a0: "
        "Réservation en ligne et Affichage digital. Retirez-les d’abord."
    )
    assert "Réservation en ligne en Affichage digital" in explain(refusal, "nl", names)


def test_every_message_of_wtforms_has_our_words() -> None:
    with (files("wtforms") / "locale" / "wtforms.pot").open("rb") as file:  # type: ignore[call-arg]
        messages = [message.id for message in read_po(file) if message.id]
    for message in messages:
        if isinstance(message, str):
            assert message in WTFORMS_SENTENCES, message
        else:
            assert message[0] in {*WTFORMS_PLURALS, *WTFORMS_SENTENCES}, message[0]


def test_a_message_of_a_form_keeps_its_values_until_the_reader_is_known() -> None:
    asked = FormTranslations().ngettext(
        "Field must be at least %(min)d character long.",
        "Field must be at least %(min)d characters long.",
        12,
    )
    message = asked % {"min": 12, "max": -1, "length": 3}
    assert translate(message, "fr") == "Écrivez au moins 12 caractères."
    assert translate(message, "nl") == "Schrijf minstens 12 tekens."
    assert translate(message, "en") == "Write at least 12 characters."


def test_zero_is_singular_in_french_only() -> None:
    forms = (
        "Trop d’essais. Réessayez dans %(count)s minute.",
        "Trop d’essais. Réessayez dans %(count)s minutes.",
    )
    assert ngettext(*forms, 0, "fr").endswith("0 minute.")
    assert ngettext(*forms, 0, "nl").endswith("0 minuten.")
    assert ngettext(*forms, 0, "en").endswith("0 minutes.")


def test_a_text_that_is_no_msgid_is_said_as_it_is() -> None:
    assert gettext("Brasserie du Parc 100 %", "nl") == "Brasserie du Parc 100 %"


@pytest.mark.parametrize(
    ("user", "cookie", "browser", "chosen"),
    [
        ("nl", "en", "fr", "nl"),
        (None, "en", "nl-BE,nl;q=0.9", "en"),
        (None, None, "nl-BE,nl;q=0.9,en;q=0.5", "nl"),
        (None, None, "de-DE,de;q=0.9,en-GB;q=0.8", "en"),
        (None, "de", "pt-BR", "fr"),
        ("xx", None, "", "fr"),
        (None, None, ";;;=,,q=", "fr"),
    ],
)
def test_the_language_is_the_users_else_the_cookies_else_the_browsers(
    user: str | None, cookie: str | None, browser: str, chosen: str
) -> None:
    assert choose_locale(user, cookie, browser) == chosen


def test_french_spaces_are_written_for_those_who_type_plain_ones() -> None:
    assert with_french_spaces("Prêt ? « Oui » : 21 % de 10 € !") == (
        "Prêt\u202f? «\u00a0Oui\u00a0»\u00a0: 21\u00a0% de 10\u00a0€\u202f!"
    )
    assert with_french_spaces("du %(start)s au %(end)s") == "du %(start)s au %(end)s"


def test_msgids_of_templates_are_found_wherever_they_stand() -> None:
    source = """<p title="{{ "Un"|t }}">{{ ("Deux" if x else "Trois")|t(name=y) }}{{ "Un jour"|tn("%(count)s jours", n) }}"""
    assert set(msgids_of_template(source)) == {"Un", "Deux", "Trois", ("Un jour", "%(count)s jours")}


def test_a_constant_sentence_is_settled_when_the_template_is_compiled() -> None:
    code = make_environment("nl", markup=True).compile('<p>{{ "Factures"|t }}</p>', raw=True)
    assert "Facturen" in code
    assert "environment.filters['t']" not in re.sub(r"try:\n.*?pass\n", "", code, flags=re.S)


def test_values_in_a_sentence_are_escaped_and_the_sentence_is_not() -> None:
    environment = make_environment("fr", markup=True)
    shown = environment.from_string('{{ "%(brand)s, accueil"|t(brand=name) }}{{ name|t }}').render(
        name="<b>&"
    )
    assert shown == "&lt;b&gt;&amp;, accueil&lt;b&gt;&amp;"


def test_the_files_are_where_the_package_looks_for_them() -> None:
    assert {path.parent.parent.name for path in Path(FOLDER).glob("*/LC_MESSAGES/messages.po")} == set(
        LANGUAGES
    )


def test_a_sentence_counted_in_one_place_and_said_alone_in_another_is_translated_in_both() -> None:
    assert ngettext("Ajouter un établissement", "Ajouter %(count)s établissements", 1, "nl") == gettext(
        "Ajouter un établissement", "nl"
    )
    assert gettext("Ajouter un établissement", "nl") != "Ajouter un établissement"

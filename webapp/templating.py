"""Templates in one language, without Flask: what mails and jobs use, and what pages build upon.

One Jinja environment per language, so that sentences and formats are fixed when the template is compiled.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from webapp import filters
from webapp.compiling import PageEnvironment
from webapp.i18n import LANGUAGES, Sentence, catalogue

TEMPLATES = Path(__file__).resolve().parent / "templates"


def render_for(language: str, template: str, **context: Any) -> str:
    """A mail in the language of its reader. Templates that end in .txt give plain text."""
    return (
        _environment(language, markup=not template.endswith(".txt")).get_template(template).render(**context)
    )


def make_environment(language: str, *, markup: bool) -> PageEnvironment:
    """The templates of one language: pages, where values are escaped, or plain texts."""
    made = PageEnvironment(  # nosec B701: texts that end in .txt have no markup to escape
        loader=FileSystemLoader(TEMPLATES),
        autoescape=markup,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters |= filters.for_language(language, markup=markup)
    made.filters["t"] = _sentence(language, markup)
    made.filters["tn"] = _plural_sentence(language, markup)
    made.globals |= {"language": language, "languages": LANGUAGES}
    return made


_environment = lru_cache(make_environment)


def _sentence(language: str, markup: bool) -> Callable[..., str]:
    """`"…"|t`. On a constant without values, the template compiler works it out once.

    A msgid and its translations are ours and may hold markup; values, and texts that are no msgid, are escaped.
    """
    sentences = catalogue(language).singles
    ours: type[str] = Markup if markup else str

    def t(text: str, **values: object) -> str:
        if isinstance(text, Sentence):
            values = dict(text.values) | values
            if text.plural:
                return plural(str(text), text.plural, text.number, **values)
        known = sentences.get(text)
        if known is None:
            return text % values if values else text
        return ours(known) % values if values else ours(known)

    plural = _plural_sentence(language, markup)
    return t


def _plural_sentence(language: str, markup: bool) -> Callable[..., str]:
    """`"%(count)s jour"|tn("%(count)s jours", days)`, with further named values if need be."""
    spoken = catalogue(language)
    ours: type[str] = Markup if markup else str

    def tn(singular: str, plural: str, count: int, **values: object) -> str:
        forms = spoken.plurals.get(singular, (singular, plural))
        return ours(forms[spoken.form_for(abs(count))]) % {"count": count, **values}

    return tn

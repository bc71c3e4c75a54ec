"""Upkeep of the message catalogues, on Babel: `python -m webapp.translating extract|update|check`.

extract  collects the msgids of the Python files and of the templates into translations/messages.pot
update   brings them into each language; French is filled in, the others wait for a translator
check    says what is missing, left over or broken, and exits with 1 if anything is
"""

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract as extract_from
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from webapp.i18n import FOLDER, LANGUAGES

SOURCES = Path(__file__).resolve().parent
TEMPLATES = SOURCES / "templates"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "_n": (1, 2),
    "t": (2,),
    "say": None,
    "say_count": (1, 2),
}
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%\((\w+)\)d")
# A fixed date: a catalogue changes when a sentence does.
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)

NARROW, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"
FRENCH_SPACES = (
    (re.compile(r" ([;!?])"), NARROW + r"\1"),
    (re.compile(r" ([:»%€])(?!\()"), WIDE + r"\1"),
    (re.compile(r"« "), "«" + WIDE),
)


def with_french_spaces(text: str) -> str:
    """Msgids may be typed with plain spaces; what people read has the non-breaking ones that French asks for."""
    for pattern, replacement in FRENCH_SPACES:
        text = pattern.sub(replacement, text)
    return text


# ── Extraction ───────────────────────────────────────────────────────────────────────────────────────────────────


def _constants(node: nodes.Node) -> Iterator[str]:
    """The texts an expression may be: a constant, or either side of a condition."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        for side in (node.expr1, node.expr2):
            if side is not None:
                yield from _constants(side)


def msgids_of_template(source: str) -> Iterator[str | tuple[str, str]]:
    """`"…"|t` gives a msgid, `"…"|tn("…", count)` a pair."""
    parsed = Environment(autoescape=True).parse(source)
    for found in parsed.find_all(nodes.Filter):
        if found.node is None:
            continue
        if found.name == "t":
            yield from _constants(found.node)
        elif found.name == "tn":
            for singular in _constants(found.node):
                for plural in _constants(found.args[0]):
                    yield singular, plural


def extract() -> Catalog:
    """Every msgid of the project, with the files that use it."""
    catalog = Catalog(charset="utf-8")
    for path in sorted(SOURCES.rglob("*.py")):
        with path.open("rb") as file:
            for _line, msgid, _comments, _context in extract_from("python", file, keywords=KEYWORDS):
                catalog.add(msgid, locations=[(path.relative_to(SOURCES.parent).as_posix(), 1)])
    for path in sorted(TEMPLATES.rglob("*.*")):
        for msgid in msgids_of_template(path.read_text(encoding="utf-8")):
            catalog.add(msgid, locations=[(path.relative_to(SOURCES.parent).as_posix(), 1)])
    return catalog


# ── Files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


def _read(path: Path, language: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=language)


def _write(path: Path, catalog: Catalog) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    catalog.project, catalog.version, catalog.fuzzy = "plan-et-facturation", "1", False
    catalog.msgid_bugs_address, catalog.last_translator, catalog.language_team = "", "", ""
    catalog.header_comment = (
        "# Sentences of the portal. Written by `make translate`; translators fill in each msgstr."
    )
    catalog.creation_date = catalog.revision_date = NO_DATE
    with path.open("wb") as file:
        write_po(file, catalog, width=110, sort_output=True, include_lineno=False, ignore_obsolete=True)


def update() -> None:
    """Bring the msgids of today into each language. Never guesses: a changed sentence is translated again."""
    template = extract()
    _write(FOLDER / "messages.pot", template)
    for language in LANGUAGES:
        path = _file(language)
        known = _read(path, language) if path.exists() else Catalog(locale=language)
        catalog = Catalog(locale=language, fuzzy=False)
        for message in template:
            if message.id:
                before = known.get(message.id)
                text = _in_french(message) if language == "fr" else before.string if before else ""
                catalog.add(
                    message.id, text, locations=message.locations, flags=before.flags if before else ()
                )
        _write(path, catalog)


def _in_french(message: Message) -> str | tuple[str, ...]:
    if isinstance(message.id, str):
        return with_french_spaces(message.id)
    return tuple(with_french_spaces(form) for form in message.id)


# ── Check ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def _placeholders(text: str) -> set[str]:
    return {first or second for first, second in PLACEHOLDER.findall(text)}


def _problems_of(message: Message, plural_forms: int) -> Iterator[str]:
    forms = _forms(message.string)
    if message.fuzzy:
        yield "is marked fuzzy: review it and remove the mark"
    if not forms or not all(forms) or (message.pluralizable and len(forms) != plural_forms):
        yield "is not translated"
        return
    wanted = set().union(*(_placeholders(form) for form in _forms(message.id)))
    for form in forms:
        if not _placeholders(form) <= wanted or (not message.pluralizable and _placeholders(form) != wanted):
            yield f"has placeholders {sorted(_placeholders(form))} where the msgid has {sorted(wanted)}"
        elif wanted:
            try:
                form % dict.fromkeys(wanted, 1)
            except (ValueError, TypeError):
                yield "has a % that is not a placeholder: write it %%"
        if '"' in form or "'" in form:
            yield "has a straight quote or apostrophe: write ’ and « », “ ” or ‘ ’"


def check() -> list[str]:
    """What a translator or a programmer has left to do, one sentence each."""
    today = {message.id: message for message in extract() if message.id}
    problems = []
    for language in LANGUAGES:
        catalog = _read(_file(language), language)
        known = {message.id: message for message in catalog if message.id}
        problems += [
            f"{language}: {msgid!r} is missing: run make translate" for msgid in today if msgid not in known
        ]
        problems += [
            f"{language}: {msgid!r} is no longer used: run make translate"
            for msgid in known
            if msgid not in today
        ]
        problems += [
            f"{language}: an obsolete entry {msgid!r} is kept in the file" for msgid in catalog.obsolete
        ]
        for msgid, message in known.items():
            problems += [
                f"{language}: {msgid!r} {problem}" for problem in _problems_of(message, catalog.num_plurals)
            ]
            if language == "fr" and _forms(message.string) != _forms(_in_french(message)):
                problems.append(
                    f"fr: {msgid!r} differs from its msgid: change the sentence where it is written"
                )
    return problems


def main(arguments: list[str]) -> int:
    if arguments == ["extract"]:
        _write(FOLDER / "messages.pot", extract())
    elif arguments == ["update"]:
        update()
    elif arguments == ["check"]:
        problems = check()
        print(*problems or ["Every sentence is translated."], sep="\n")
        return 1 if problems else 0
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Reading a YAML file that people edit: every complaint names its line, its field and what was expected.

The document is walked as nodes rather than as Python values: a node knows its line, and an amount is still the
text that was typed, so that 79.10 never becomes a float.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webapp.domain.catalogue import LANGUAGES
from webapp.i18n import _

CODE = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
AMOUNT = re.compile(r"(\d{1,6})\.(\d{2})")
MOST_CENTS = 10_000_000  # 100 000,00 per period: more is a slip of the keyboard
LONGEST_FILE = 1_000_000
LONGEST_TEXT = 500


@dataclass(frozen=True)
class Problem:
    """One complaint. `message` is a msgid with named placeholders, filled with `facts` in the reader's language."""

    line: int
    path: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class BrokenFile(Exception):
    """The file cannot be used; nothing was written. Every problem found is listed, in the order of the lines."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        super().__init__(f"{path}: {len(problems)} problem(s)")
        self.path = path
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.path))


class Document:
    """A YAML file being read, or what stands for one. Complaints gather here and `finish` raises them together."""

    has_lines = True  # whether a complaint may name the line of another entry

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def root(self) -> "Entry":
        """The top mapping. Raises BrokenFile when the file is not readable YAML."""
        node = self.top()
        if not isinstance(node, MappingNode):
            raise self._refused(
                1, _("Le fichier est vide, ou ne commence pas par des champs « nom: valeur ».")
            )
        return Entry(self, node, "")

    def top(self) -> Node | None:
        """What the file holds, None when it holds nothing. Raises BrokenFile."""
        try:
            content = self.path.read_bytes()
            if len(content) > LONGEST_FILE:
                raise self._refused(
                    1,
                    _("Le fichier est trop long : %(size)s octets, pour %(most)s au plus."),
                    size=len(content),
                    most=LONGEST_FILE,
                )
            node: Node | None = YAML(typ="safe", pure=True).compose(content.decode("utf-8-sig"))
            return node
        except OSError as error:
            raise self._refused(
                1, _("Le fichier ne peut pas être lu : %(detail)s."), detail=error.strerror
            ) from error
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise self._refused(
                line, _("Le texte n’est pas en UTF-8. Enregistrez le fichier en UTF-8.")
            ) from error
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._refused(
                mark.line + 1 if mark else 1,
                _("Le YAML est mal formé : %(detail)s."),
                detail=error.problem or error.context,
            ) from error
        except (YAMLError, RecursionError, ValueError) as error:
            raise self._refused(
                1, _("Le YAML est mal formé : %(detail)s."), detail=str(error).splitlines()[0]
            ) from error

    def complain(self, node: Node, path: str, message: str, **facts: Any) -> None:
        self.problems.append(Problem(_line(node), path, message, facts))

    def finish(self) -> None:
        if self.problems:
            raise BrokenFile(self.path, self.problems)

    def _refused(self, line: int, message: str, **facts: Any) -> BrokenFile:
        return BrokenFile(self.path, [Problem(line, "", message, facts)])


class Entry:
    """A mapping of the file. Asking for a field that is missing or wrong complains once and gives a stand-in.

    `close` complains of the fields that nobody asked for.
    """

    def __init__(self, document: Document, node: MappingNode, path: str) -> None:
        self.document = document
        self.node = node
        self.path = path
        self.asked: dict[str, None] = {}
        self.fields: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else ""
            if key in self.fields:
                document.complain(
                    key_node, self.at(key), _("Ce champ est écrit deux fois ; gardez-en un seul.")
                )
            self.fields[key] = value_node

    # Where things are, for complaints that only the caller can make

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def complain(self, name: str, message: str, **facts: Any) -> None:
        """Complain of a field, or of the whole entry when it is not there."""
        node = self.fields.get(name)
        self.document.complain(node if node is not None else self.node, self.at(name), message, **facts)

    def has(self, name: str) -> bool:
        self.asked[name] = None
        node = self.fields.get(name)
        return node is not None and not _is_null(node)

    def close(self) -> None:
        for key_node, _value in self.node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else "?"
            if key in self.asked:
                continue
            close = get_close_matches(key, self.asked, n=1)
            if close:
                self.document.complain(
                    key_node,
                    self.at(key),
                    _("Champ inconnu. Vouliez-vous écrire « %(close)s » ?"),
                    close=close[0],
                )
            else:
                self.document.complain(
                    key_node,
                    self.at(key),
                    _("Champ inconnu. Champs possibles : %(possible)s."),
                    possible=", ".join(self.asked),
                )

    # Fields

    def text(self, name: str, default: str | None = None, most: int = LONGEST_TEXT) -> str:
        node = self._scalar(name, default is None, _("un texte"))
        if node is None:
            return default or ""
        value: str = node.value.strip()
        if not value:
            self.complain(name, _("Le texte est vide. Attendu : %(expected)s."), expected=_("un texte"))
        if len(value) > most:
            self.complain(
                name,
                _("Le texte est trop long : %(size)s caractères, pour %(most)s au plus."),
                size=len(value),
                most=most,
            )
        return value

    def texts(self, name: str, required: bool = True) -> dict[str, str]:
        """A text in every language: `{fr: …, nl: …, en: …}`."""
        entry = self.entry(name, required)
        if entry is None:
            return {}
        values = {language: entry.text(language) for language in LANGUAGES}
        entry.close()
        return values

    def code(self, name: str = "code") -> str:
        node = self._scalar(name, True, _("un code, tel que « pro » ou « avis-clients »"))
        if node is None:
            return ""
        return self._checked_code(node, name)

    def codes(self, name: str) -> list[tuple[str, Node]]:
        """A list of codes, each with its node; empty when the field is not there."""
        return [(self._checked_code(node, path), node) for path, node in self._items(name, scalars=True)]

    def choice(self, name: str, choices: Collection[str], default: str | None = None) -> str:
        expected = ", ".join(choices)
        node = self._scalar(name, default is None, expected)
        if node is None:
            return next(iter(choices)) if default is None else default
        if node.value in choices:
            return str(node.value)
        self.unknown(node, self.at(name), node.value, choices)
        return next(iter(choices))

    def unknown(self, node: Node, path: str, value: str, choices: Collection[str]) -> None:
        """Complain of a value that is not one of `choices`, with the closest of them."""
        close = get_close_matches(value, choices, n=1)
        if close:
            self.document.complain(
                node,
                path,
                _("« %(value)s » est inconnu. Vouliez-vous écrire « %(close)s » ?"),
                value=_short(value),
                close=close[0],
            )
        else:
            self.document.complain(
                node,
                path,
                _("« %(value)s » est inconnu. Valeurs possibles : %(possible)s."),
                value=_short(value),
                possible=", ".join(choices) or "–",
            )

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        node = self._scalar(name, default is None, _("un nombre entier"))
        if node is None:
            return least if default is None else default
        if re.fullmatch(r"-?\d{1,9}", node.value) and least <= int(node.value) <= most:
            return int(node.value)
        self.complain(
            name,
            _("« %(value)s » ne convient pas. Attendu : un nombre entier de %(least)s à %(most)s."),
            value=_short(node.value),
            least=least,
            most=most,
        )
        return least

    def flag(self, name: str, default: bool = False) -> bool:
        node = self._scalar(name, False, "true, false")
        if node is None:
            return default
        if node.value not in ("true", "false"):
            self.complain(
                name, _("« %(value)s » ne convient pas. Attendu : true ou false."), value=_short(node.value)
            )
        return bool(node.value == "true")

    def cents(self, name: str) -> int:
        """An amount typed as 79.00, in whole cents."""
        node = self._scalar(name, True, _("un montant, tel que 79.00"))
        if node is None:
            return 0
        written = AMOUNT.fullmatch(node.value.strip())
        if written is None:
            self.complain(
                name,
                _(
                    "« %(value)s » n’est pas un montant. Attendu : un point et deux décimales, sans signe "
                    "ni espace, par exemple 79.00."
                ),
                value=_short(node.value),
            )
            return 0
        value = int(written[1]) * 100 + int(written[2])
        if value > MOST_CENTS:
            self.complain(
                name,
                _("Le montant %(value)s est trop grand : %(most)s au plus."),
                value=node.value,
                most=f"{MOST_CENTS // 100}.00",
            )
        return value

    def entry(self, name: str, required: bool = True) -> "Entry | None":
        node = self._field(name, required, _("des champs « nom: valeur »"))
        if node is None:
            return None
        if isinstance(node, MappingNode):
            return Entry(self.document, node, self.at(name))
        self.complain(
            name, _("Valeur inattendue. Attendu : %(expected)s."), expected=_("des champs « nom: valeur »")
        )
        return None

    def entries(self, name: str, required: bool = True, label: str = "code") -> "list[Entry]":
        """A list of mappings. Their path shows their code where they have one: plans[pro].prices[0]."""
        if required and name not in self.fields:
            self._field(name, True, _("une liste"))
        found = []
        for index, (_path, node) in enumerate(self._items(name, scalars=False)):
            assert isinstance(node, MappingNode)
            named = [value for key, value in node.value if isinstance(key, ScalarNode) and key.value == label]
            shown = named[0].value if named and isinstance(named[0], ScalarNode) else ""
            found.append(
                Entry(self.document, node, f"{self.at(name)}[{shown if CODE.fullmatch(shown) else index}]")
            )
        return found

    # How a field is fetched

    def _field(self, name: str, required: bool, expected: str) -> Node | None:
        self.asked[name] = None
        node = self.fields.get(name)
        if node is not None and not _is_null(node):
            return node
        if required:
            self.complain(name, _("Le champ manque. Attendu : %(expected)s."), expected=expected)
        return None

    def _scalar(self, name: str, required: bool, expected: str) -> ScalarNode | None:
        node = self._field(name, required, expected)
        if node is None or isinstance(node, ScalarNode):
            return node
        self.complain(name, _("Valeur inattendue. Attendu : %(expected)s."), expected=expected)
        return None

    def _items(self, name: str, scalars: bool) -> list[tuple[str, Node]]:
        node = self._field(name, False, "")
        if node is None:
            return []
        expected = _("une liste de codes") if scalars else _("une liste")
        if not isinstance(node, SequenceNode):
            self.complain(name, _("Valeur inattendue. Attendu : %(expected)s."), expected=expected)
            return []
        wanted = ScalarNode if scalars else MappingNode
        items: list[tuple[str, Node]] = []
        for index, item in enumerate(node.value):
            path = f"{self.at(name)}[{index}]"
            if isinstance(item, wanted):
                items.append((path, item))
            else:
                self.document.complain(
                    item,
                    path,
                    _("Valeur inattendue. Attendu : %(expected)s."),
                    expected=_("un code") if scalars else _("des champs « nom: valeur »"),
                )
        return items

    def _checked_code(self, node: Node, name: str) -> str:
        if CODE.fullmatch(node.value) and len(node.value) <= 60:
            return str(node.value)
        path = name if name.startswith(self.path) and self.path else self.at(name)
        self.document.complain(
            node,
            path,
            _(
                "« %(value)s » n’est pas un code. Attendu : des minuscules sans accent, des "
                "chiffres et des traits d’union, 60 caractères au plus."
            ),
            value=_short(node.value),
        )
        return str(node.value)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and str(node.tag) == "tag:yaml.org,2002:null"


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:59] + "…"

"""A draft brought up to date with what was published since it began, entry by entry (S3)."""

from collections.abc import Mapping
from typing import Any

Fields = Mapping[str, Any]
SECTIONS = ("features", "plans", "options")


def rebased(base: Fields, published: Fields, draft: Fields) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The draft with what was published meanwhile, and the entries that both changed, as (section, code).

    All three hold the fields of the catalogue file; `base` is what was published when the draft began. An entry that
    the draft left alone becomes what is published; one that it changed keeps the draft's words, and is named when the
    publication changed it otherwise. Entries stand in the order of the draft, new ones last.
    """
    merged, conflicts = dict(draft), []
    for section in SECTIONS:
        before, now, own = (_by_code(fields, section) for fields in (base, published, draft))
        entries = []
        for code in dict.fromkeys([*own, *now]):
            if own.get(code) == before.get(code):
                kept = now.get(code)
            else:
                kept = own.get(code)
                if now.get(code) not in (before.get(code), kept):
                    conflicts.append((section, code))
            if kept is not None:
                entries.append(kept)
        merged[section] = entries
    return merged, conflicts


def _by_code(fields: Fields, section: str) -> dict[str, Any]:
    return {str(entry["code"]): entry for entry in fields.get(section, ())}

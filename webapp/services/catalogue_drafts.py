"""Drafts of the catalogue: begun from what is published, changed field by field, published on a day or given up (S3).

A draft holds the fields of the catalogue file and meets the same checks. Services never commit.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.adapters.catalogue_file import BrokenFile, read_draft
from webapp.adapters.catalogue_tree import fields_of
from webapp.adapters.yaml_file import Problem
from webapp.domain.access import Actor
from webapp.domain.catalogue import Catalogue, Publication
from webapp.domain.catalogue_changes import Difference, Published, differences
from webapp.domain.catalogue_rebase import rebased
from webapp.domain.refusals import (
    DraftChanged,
    DraftClosed,
    DraftIncomplete,
    DraftOutdated,
    StalePreview,
)
from webapp.models.catalogue import CatalogueDraft
from webapp.services import audit, catalogue
from webapp.services.catalogue_published import published, resellers

CLOSED_SHOWN = 10
Fields = dict[str, Any]


class DraftNotFound(LookupError):
    """No such draft: the door answers 404."""


@dataclass(frozen=True)
class Checked:
    """What the checks of the catalogue say of a draft: `catalogue` is None while something is to be mended."""

    catalogue: Catalogue | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Comparison:
    """What publishing a draft from a day would change. The fingerprint stands for all that was shown."""

    differences: list[Difference]
    published: Published
    fingerprint: str


def start(session: Session, name: str, actor: Actor, now: datetime) -> CatalogueDraft:
    """A new draft that says what is published. Flushes."""
    fields = fields_of(published(session).catalogue)
    draft = CatalogueDraft(
        name=name,
        content=fields,
        base=fields,
        started_by=actor.name,
        started_at=now,
        changed_by=actor.name,
        changed_at=now,
    )
    session.add(draft)
    session.flush()
    audit.record(session, actor, None, "catalogue_draft.started", name, {}, {"draft": draft.id}, now)
    return draft


def drafts(session: Session) -> list[CatalogueDraft]:
    """The open ones, the last changed first, then the last that were closed."""
    recent = CatalogueDraft.changed_at.desc(), CatalogueDraft.id.desc()
    is_open = CatalogueDraft.state == "open"
    opened = session.scalars(select(CatalogueDraft).where(is_open).order_by(*recent))
    closed = session.scalars(select(CatalogueDraft).where(~is_open).order_by(*recent).limit(CLOSED_SHOWN))
    return [*opened, *closed]


def get(session: Session, draft_id: int) -> CatalogueDraft:
    """Raises DraftNotFound."""
    draft = session.get(CatalogueDraft, draft_id)
    if draft is None:
        raise DraftNotFound(draft_id)
    return draft


def take(session: Session, draft_id: int, version: int) -> CatalogueDraft:
    """The draft, locked to be changed: the page that asks was made from `version`.

    Raises DraftNotFound, DraftClosed, DraftChanged.
    """
    draft = _locked(session, draft_id)
    if draft.state != "open":
        raise DraftClosed(draft.closed_by or "")
    if draft.version != version:
        raise DraftChanged(draft.changed_by)
    return draft


def check(session: Session, fields: Mapping[str, Any]) -> Checked:
    """What the checks of the file say of these fields. One statement."""
    try:
        return Checked(read_draft(fields, list(resellers(session))), ())
    except BrokenFile as broken:
        return Checked(None, tuple(broken.problems))


def save(
    session: Session, draft: CatalogueDraft, fields: Fields, subject: str, actor: Actor, now: datetime
) -> None:
    """Keep the fields of a draft that `take` gave; `subject` names what was changed: plans/pro. Flushes."""
    if fields == draft.content:
        return
    before, after = _told(draft.content, fields), _told(fields, draft.content)
    draft.content = fields
    _changed(draft, actor, now)
    audit.record(session, actor, None, "catalogue_draft.changed", f"{draft.id}/{subject}", before, after, now)
    session.flush()


def rename(
    session: Session, draft: CatalogueDraft, name: str, starts_on: date | None, actor: Actor, now: datetime
) -> None:
    """Give it another name or day. Flushes."""
    before = {"name": draft.name, "starts_on": str(draft.starts_on or "")}
    draft.name, draft.starts_on = name, starts_on
    _changed(draft, actor, now)
    after = {"name": name, "starts_on": str(starts_on or "")}
    audit.record(session, actor, None, "catalogue_draft.changed", str(draft.id), before, after, now)
    session.flush()


def abandon(session: Session, draft: CatalogueDraft, actor: Actor, now: datetime) -> None:
    """Close it unpublished; its words stay readable. Flushes."""
    _close(draft, "abandoned", actor, now)
    audit.record(session, actor, None, "catalogue_draft.abandoned", str(draft.id), {}, {}, now)
    session.flush()


def is_outdated(draft: CatalogueDraft, standing: Published) -> bool:
    """Whether something was published since the draft began, or was last brought up to date."""
    return bool(draft.base != _plain(fields_of(standing.catalogue)))


def bring_up_to_date(
    session: Session, draft: CatalogueDraft, actor: Actor, now: datetime
) -> list[tuple[str, str]]:
    """Take up what was published since; the entries changed on both sides keep the draft's words and are returned."""
    latest = _plain(fields_of(published(session).catalogue))
    fields, conflicts = rebased(draft.base, latest, draft.content)
    draft.base = latest
    save(session, draft, fields, "base", actor, now)
    session.flush()
    return conflicts


def compare(session: Session, draft: CatalogueDraft, on: date) -> Comparison:
    """What publishing the draft from `on` would change.

    Raises DraftIncomplete while the checks find something, PublicationTooEarly and OptionKindFixed as publishing would.
    """
    found = check(session, draft.content).catalogue
    if found is None:
        raise DraftIncomplete()
    standing = published(session)
    facts = [draft.id, draft.version, on.isoformat(), fields_of(standing.catalogue)]
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    return Comparison(differences(standing, found, on), standing, fingerprint)


def publish(
    session: Session,
    draft_id: int,
    on: date,
    fingerprint: str,
    key: str,
    actor: Actor,
    now: datetime,
) -> Publication | None:
    """Publish the draft as it was shown, as `flask catalogue publish` would, and close it. None: `key` did it already.

    Raises DraftNotFound, DraftClosed, DraftOutdated, DraftIncomplete, StalePreview when the draft or the catalogue
    moved since it was shown, PublicationTooEarly, OptionKindFixed.
    """
    _lock_open_drafts(session)
    draft = _locked(session, draft_id)
    if draft.state != "open":
        if draft.closing_key == key:
            return None
        raise DraftClosed(draft.closed_by or "")
    shown = compare(session, draft, on)
    if is_outdated(draft, shown.published):
        raise DraftOutdated()
    if shown.fingerprint != fingerprint:
        raise StalePreview()
    found = check(session, draft.content).catalogue
    assert found is not None  # compared above
    done = catalogue.publish(session, found, on, actor, now)
    draft.starts_on, draft.closing_key = on, key
    _close(draft, "published", actor, now)
    audit.record(
        session, actor, None, "catalogue_draft.published", str(draft.id), {}, {"from": on.isoformat()}, now
    )
    session.flush()
    return done


def _locked(session: Session, draft_id: int) -> CatalogueDraft:
    """Until the end of the transaction. On SQLite the transaction itself is the lock."""
    statement = select(CatalogueDraft).where(CatalogueDraft.id == draft_id).with_for_update()
    draft = session.scalars(statement.execution_options(populate_existing=True)).first()
    if draft is None:
        raise DraftNotFound(draft_id)
    return draft


def _lock_open_drafts(session: Session) -> None:
    """Two drafts are never published at once: the second is compared with what the first has published."""
    statement = select(CatalogueDraft.id).where(CatalogueDraft.state == "open").order_by(CatalogueDraft.id)
    session.execute(statement.with_for_update()).all()


def _changed(draft: CatalogueDraft, actor: Actor, now: datetime) -> None:
    draft.version += 1
    draft.changed_by, draft.changed_at = actor.name, now


def _close(draft: CatalogueDraft, state: str, actor: Actor, now: datetime) -> None:
    draft.state, draft.closed_by, draft.closed_at = state, actor.name, now
    _changed(draft, actor, now)


def _told(fields: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `fields` that `other` says otherwise, by section."""
    told = {}
    for section, entries in fields.items():
        if isinstance(entries, list) and entries != other.get(section):
            told[section] = [entry for entry in entries if entry not in other.get(section, ())]
    return told


def _plain(fields: Fields) -> Fields:
    """As JSON keeps it, to be compared with what was kept."""
    plain: Fields = json.loads(json.dumps(fields))
    return plain

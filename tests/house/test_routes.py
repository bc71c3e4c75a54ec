"""Every address says who may enter, asks for nothing unexpected, and never changes anything by GET."""

import inspect
import re

import pytest
from flask import Flask

from webapp.domain.access import May
from webapp.extensions import SAFE_METHODS, WriteWhileReading, db


def rules(app: Flask):
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint in app.view_functions]


def test_each_view_states_who_may_enter(built_app):
    silent = [name for name, view in built_app.view_functions.items() if not hasattr(view, "requires")]
    assert not silent, f"add @requires(May.…) to {silent}, or @requires(May.ANYONE) for a public page"
    assert all(isinstance(view.requires, May) for view in built_app.view_functions.values())


def test_each_view_that_changes_something_commits_in_its_door(built_app):
    unsafe = {rule.endpoint for rule in rules(built_app) if set(rule.methods) - SAFE_METHODS}
    forgetful = [name for name in unsafe if not getattr(built_app.view_functions[name], "commits", False)]
    assert not forgetful, f"add @commits under @requires for {forgetful}: their changes are lost"


def test_no_address_takes_both_reads_and_destructive_methods_other_than_forms(built_app):
    allowed = {"GET", "HEAD", "OPTIONS", "POST"}
    odd = {rule.rule: set(rule.methods) - allowed for rule in rules(built_app) if set(rule.methods) - allowed}
    assert not odd, f"pages work without scripts, which send GET and POST only: {odd}"


def test_addresses_are_french_kebab_case(built_app):
    for rule in rules(built_app):
        plain = re.sub(r"<[^>]+>", "x", rule.rule)
        assert re.fullmatch(r"(/[a-z0-9.-]*)+", plain), (
            f"{rule.rule}: lower case, words joined by hyphens, no accents"
        )


def test_subscriptions_are_named_by_uuid(built_app):
    for rule in rules(built_app):
        if "subscription_id" in rule.arguments:
            assert "<uuid:subscription_id>" in rule.rule, rule.rule


def test_views_are_written_in_doors_only(built_app):
    for name, view in built_app.view_functions.items():
        module = inspect.unwrap(view).__module__
        assert module.startswith("webapp.blueprints."), f"{name} is written in {module}"


def test_a_page_asked_by_get_cannot_write(app, tmp_path):
    from webapp.models.accounts import Reseller

    with app.test_request_context("/", method="GET"):
        db.session.add(Reseller(slug="x"))
        with pytest.raises(WriteWhileReading, match="GET / changed rows"):
            db.session.flush()
        db.session.rollback()


def test_a_page_asked_by_get_does_not_wait_for_a_writer(app, session):
    from sqlalchemy import select, text

    from webapp.models.accounts import Account

    session.execute(text("UPDATE accounts SET name = name"))  # holds the write lock
    with app.test_request_context("/", method="GET"):
        assert db.session.scalars(select(Account)).all() == []

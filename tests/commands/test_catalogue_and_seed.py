"""The commands of the operator: they say what they did, and a broken file writes nothing."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.conftest import Clock
from webapp.models.catalogue import PlanVersion
from webapp.models.invoices import Invoice
from webapp.services import demo

CATALOGUE = demo.FOLDER / "catalogue.yaml"


@pytest.fixture
def seeded(app: Flask, clock: Clock) -> Flask:
    result = app.test_cli_runner().invoke(args=["seed", "demo"])
    assert result.exit_code == 0, result.output
    return app


def test_the_demo_loads_once(seeded: Flask, session: Session) -> None:
    invoices = session.scalar(select(func.count()).select_from(Invoice))
    session.rollback()
    again = seeded.test_cli_runner().invoke(args=["seed", "demo"])
    assert again.exit_code == 0
    assert "déjà chargée" in again.output
    assert session.scalar(select(func.count()).select_from(Invoice)) == invoices


def test_the_logins_are_printed_with_their_password(seeded: Flask) -> None:
    output = seeded.test_cli_runner().invoke(args=["demo-logins"]).output
    assert "demo-portail-2026" in output
    assert "claire@brasserieduparc.example" in output
    assert "sofie.claes@horecaplus.example" in output
    assert "HorecaPlus, administrateur du partenaire" in output


def test_without_the_demo_the_logins_say_how_to_load_it(app: Flask) -> None:
    assert "seed demo" in app.test_cli_runner().invoke(args=["demo-logins"]).output


def test_a_valid_file_is_said_to_be_valid(seeded: Flask) -> None:
    result = seeded.test_cli_runner().invoke(args=["catalogue", "check", str(CATALOGUE)])
    assert result.exit_code == 0
    assert "5 formules" in result.output


def test_publishing_says_what_it_did_and_then_that_nothing_changed(seeded: Flask, tmp_path: Path) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text(CATALOGUE.read_text().replace("amount: 79.00", "amount: 82.00"))
    runner = seeded.test_cli_runner()
    first = runner.invoke(args=["catalogue", "publish", str(edited), "--from", "2027-01-01"])
    assert first.exit_code == 0
    assert "pro" in first.output
    assert "1er janvier 2027" in first.output
    second = runner.invoke(args=["catalogue", "publish", str(edited), "--from", "2027-01-01"])
    assert second.exit_code == 0
    assert "Rien n’a changé" in second.output


@pytest.mark.parametrize("command", ["check", "publish"])
def test_a_broken_file_is_told_by_its_line_and_writes_nothing(
    seeded: Flask, session: Session, tmp_path: Path, command: str
) -> None:
    broken = tmp_path / "broken.yaml"
    content = CATALOGUE.read_text()
    line = content[: content.index("amount: 149.00")].count("\n") + 1
    content = content.replace("amount: 149.00", "amount: 149,00").replace("amount: 39.00", "amount: 41.00")
    broken.write_text(content)
    versions = session.scalar(select(func.count()).select_from(PlanVersion))
    session.rollback()
    result = seeded.test_cli_runner().invoke(args=["catalogue", command, str(broken)])
    assert result.exit_code == 1
    assert f"{broken}:{line}: plans[premium].prices[0].amount: " in result.output
    assert session.scalar(select(func.count()).select_from(PlanVersion)) == versions


def test_a_day_already_passed_by_a_version_is_refused_with_the_date(seeded: Flask, tmp_path: Path) -> None:
    edited = tmp_path / "edited.yaml"
    edited.write_text(CATALOGUE.read_text().replace("Un site complet et toutes", "Un beau site et toutes"))
    result = seeded.test_cli_runner().invoke(
        args=["catalogue", "publish", str(edited), "--from", "2020-01-01"]
    )
    assert result.exit_code == 1
    assert "1er janvier 2025" in result.output


def test_a_day_that_is_not_one_is_refused(seeded: Flask) -> None:
    result = seeded.test_cli_runner().invoke(args=["catalogue", "publish", str(CATALOGUE), "--from", "soon"])
    assert result.exit_code == 2

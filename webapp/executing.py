"""Long work: a page asks for it, `flask run-job` does it in a process of its own, the page follows it in the database.

A thread of the web server would die with it, at each reload and each deployment. The process is detached from the
worker that starts it; should it be killed all the same, what it had done is kept and the page offers to take it up.
What starts the process is one function, `app.extensions["portal_start_job"]`: a queue can take its place.
"""

import io
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app, g
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp import clock, migrating
from webapp.adapters import process_lock
from webapp.adapters.payment_provider import PaymentProvider
from webapp.config import PROJECT, Settings
from webapp.extensions import db
from webapp.models.jobs import Job
from webapp.services import billing_run, invariants, invoicing, jobs, work_previews
from webapp.transactions import after_commit

FOLDER = "jobs"  # of the locks and of what the processes print, in the instance folder
# Starts a process and is gone at once: what it started belongs to no worker, and is buried by the system.
DETACH = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
SHARED_TIME = 5.0  # seconds that the launcher may take


def init_app(app: Flask) -> None:
    app.extensions["portal_start_job"] = start_process
    after_commit(app, start_what_was_asked)
    app.cli.add_command(run_job)


# ── On the side of the page ──────────────────────────────────────────────────────────────────────────────────────


def start_after_commit(job_id: int) -> None:
    """Start the process of this job once the request is committed, and not before: it reads the row."""
    g.setdefault("jobs_asked", []).append(job_id)


def start_what_was_asked() -> None:
    for job_id in g.pop("jobs_asked", ()):
        current_app.extensions["portal_start_job"](job_id)


def start_process(job_id: int) -> None:
    """Start `flask run-job`, detached. If it cannot be, the page says so after a minute and offers to try again."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "run-job", str(job_id)]
    with (folder / f"{job_id}.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", DETACH, *command],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
            timeout=SHARED_TIME,
        )


def is_held(job: Job) -> bool:
    """Whether a living process of this machine does that job, or has ended it since `job` was read.

    A page reads the row first: the process may end, and let its lock go, before the page looks at the lock.
    """
    if process_lock.is_held(_lock_file(job.id)):
        return True
    with Session(current_app.extensions["portal_reading"]) as session:
        return session.scalar(select(Job.state).where(Job.id == job.id)) != job.state


def this_machine() -> str:
    return platform.node()


def _folder() -> Path:
    settings: Settings = current_app.extensions["portal_settings"]
    return settings.instance / FOLDER


def _lock_file(job_id: int) -> Path:
    return _folder() / f"{job_id}.lock"


# ── On the side of the process ───────────────────────────────────────────────────────────────────────────────────


@click.command("run-job", hidden=True)
@click.argument("job_id", type=int)
@with_appcontext
def run_job(job_id: int) -> None:
    """Do what a page of the team asked for. The page starts it; by hand, it takes up what never began."""
    perform(job_id)


def perform(job_id: int, **more: Any) -> None:
    """Do the job, if nobody does. `more` goes to the work: tests make its pages small, and kill it."""
    with process_lock.held(_lock_file(job_id)):
        with _keeping() as session:
            job = jobs.claim(session, job_id, this_machine(), os.getpid(), clock.now())
            if job is None:
                return
            kind, args = job.kind, dict(job.args)
        try:
            state, message, result = _do(job_id, kind, args, more)
        except billing_run.Paused:
            state, message, result = "paused", "", None
        except Exception as fault:  # whatever it is, the page must say it
            state, message, result = "failed", _words(fault), None
        with _keeping() as session:
            jobs.finish(session, job_id, state, clock.now(), message, result)
    with suppress(FileNotFoundError):
        _lock_file(job_id).unlink()


def _do(job_id: int, kind: str, args: dict[str, Any], more: dict[str, Any]) -> tuple[str, str, Any]:
    if kind in (jobs.BILL, jobs.BILL_ONE, jobs.PREVIEW):
        return _bill(job_id, kind, args, more)
    if kind == jobs.INVARIANTS:
        with Session(current_app.extensions["portal_reading"]) as session:
            found = invariants.broken(session)
        return (
            "done",
            "",
            {"broken": [[each.name, [list(map(str, row)) for row in each.rows]] for each in found]},
        )
    if kind == jobs.MIGRATE:
        return _migrate(job_id, args, more)
    if kind in jobs.COMMAND_PREVIEWS:
        return _look(jobs.COMMAND_PREVIEWS[kind], date.fromisoformat(args["on"]))
    return _command(kind)


def _look(command: str, on: date) -> tuple[str, str, Any]:
    """What a command would do, in figures. Nothing is kept."""
    settings: Settings = current_app.extensions["portal_settings"]
    provider: PaymentProvider | None = current_app.extensions["portal_payment_provider"]
    this = work_previews.Round(
        on, clock.now(), settings.announce_days, provider.name if provider is not None else ""
    )
    figures = work_previews.look(command, partial(Session, db.engine), this)
    return "done", "", {"figures": [[each.what, each.count, each.cents] for each in figures]}


def _migrate(job_id: int, args: dict[str, Any], more: dict[str, Any]) -> tuple[str, str, Any]:
    def moved(done: int, total: int) -> None:
        with _keeping() as session:
            jobs.progress(session, job_id, done, total, clock.now())

    migrating.carry_out(args["migration"], moved, **more)
    return "done", "", None


def _bill(job_id: int, kind: str, args: dict[str, Any], more: dict[str, Any]) -> tuple[str, str, Any]:
    is_rehearsal = kind == jobs.PREVIEW

    def moved(done: int, due: int) -> None:
        with _keeping() as session:
            must_pause = jobs.progress(session, job_id, done, due, clock.now())
        if must_pause and done < due:
            raise billing_run.Paused

    @contextmanager
    def page() -> Iterator[Session]:
        with Session(db.engine) as session:
            yield session
            if not is_rehearsal:
                session.commit()

    report = billing_run.run(
        page,
        date.fromisoformat(args["on"]),
        clock.now,
        reference=args.get("account"),
        is_rehearsal=is_rehearsal,
        moved=moved,
        opened=lambda session, run_id: jobs.link_run(session, job_id, run_id),
        **more,
    )
    return "done", "", _told(report)


def _told(report: billing_run.Report) -> dict[str, Any]:
    facts = report.facts()
    facts["failures"] = [
        {
            "account": each.account,
            "code": each.code,
            "facts": [asdict(problem) for problem in each.facts],
            "detail": each.detail,
        }
        for each in report.failures
    ]
    return facts


def _command(name: str) -> tuple[str, str, Any]:
    """Run one of the operator's commands, and keep what it said: its sentences are those of the operator's language."""
    said = io.StringIO()
    code: object = 0
    with redirect_stdout(said), redirect_stderr(said):
        try:
            current_app.cli.commands[name].main(args=[], prog_name=name, standalone_mode=False)
        except click.ClickException as problem:
            said.write(problem.format_message() + "\n")
            code = 1
        except SystemExit as end:  # a command that leaves something to look at
            code = end.code
    return ("failed" if code else "done"), said.getvalue().strip(), None


def _words(fault: Exception) -> str:
    """What stopped the work. The first word is a code that the page has a sentence for, if it is one."""
    if isinstance(fault, billing_run.InvariantsBroken):
        return f"invariants_broken\n{fault}"
    if isinstance(fault, billing_run.UnknownAccount):
        return "unknown_account"
    if isinstance(fault, invoicing.NoIssuer):
        return "no_issuer"
    if isinstance(fault, SQLAlchemyError):
        return f"database\n{getattr(fault, 'orig', fault)}"
    return f"other\n{type(fault).__name__}: {fault}"


@contextmanager
def _keeping() -> Iterator[Session]:
    with Session(db.engine) as session, session.begin():
        yield session

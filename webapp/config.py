"""Settings, read once from the environment and refused with a sentence when wrong."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

MailBackend = Literal["console", "file", "smtp"]
Locale = Literal["fr", "nl", "en"]
AccessPointKind = Literal["download", "folder", "rest"]
PaymentProviderKind = Literal["none", "stripe", "mollie", "demo"]
StaffTwoFactor = Literal["required", "optional"]
Value = TypeVar("Value")

PROJECT = Path(__file__).resolve().parent.parent
SHORTEST_SECRET = 32


class WrongSetting(Exception):
    """A setting cannot be used. Its text names the variable, what was found and what is expected."""

    def __init__(self, variable: str, found: str, expected: str) -> None:
        super().__init__(f"{variable}: {found}. Expected: {expected}.")
        self.variable = variable


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that changes from one installation to the next."""

    instance: Path
    database_url: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...] = ()
    clock: date | None = None
    time_zone: str = "Europe/Brussels"
    mail_backend: MailBackend = "console"
    mail_folder: Path | None = None
    mail_from: str = "facturation@example.org"
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_starttls: bool = True
    base_url: str = "http://127.0.0.1:8000"
    default_locale: Locale = "fr"
    peppol_rules_folder: Path | None = None
    access_point: AccessPointKind = "download"
    access_point_folder: Path | None = None
    access_point_url: str = ""
    access_point_key: str = ""
    sends_unchecked: bool = False  # whether documents leave that no official rules have checked
    payment_provider: PaymentProviderKind = "none"  # who takes cards and Bancontact
    payment_key: str = ""  # given by the provider
    payment_webhook_secrets: tuple[str, ...] = ()  # it signs its notices with the first, or with a former one
    payment_url: str = ""  # of its API, when it is not the provider's own: the tests
    webhooks_anywhere: bool = (
        False  # whether http and private addresses may be told: development and tests only
    )
    webhook_ports: tuple[int, ...] = (443, 8443)
    webhooks_at_once: bool = (
        True  # tell other systems after the request; otherwise `flask send-webhooks` alone does
    )
    api_rate: int = 600  # requests per key and minute
    session_idle_minutes: int = 8 * 60
    # Whether the team's space opens only to those who sign in with a second step; demonstrations do without
    staff_two_factor: StaffTwoFactor = "required"
    # The identity provider by which the team may sign in, see docs/operate/oidc.md; without an issuer there is none
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_label: str = ""
    oidc_second_step: tuple[
        str, ...
    ] = ()  # the values of `acr` and `amr` by which it says that it asked for one
    session_absolute_hours: int = 14 * 24
    announce_days: tuple[int, ...] = (60, 30, 7)  # before the last day to give notice (T5)
    sepa_notice_days: int = 14  # of a collection before its day, agreed with each mandate signed (D1)
    proxies: int = 0  # how many trusted proxies stand before the server

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every variable. Raises WrongSetting for the first one that cannot be used."""
        read = _Reader(environ)
        instance = read("PORTAL_INSTANCE", Path, str(PROJECT / "instance"), "a folder").resolve()
        instance.mkdir(parents=True, exist_ok=True)
        backend = read("MAIL_BACKEND", _one_of(MailBackend), "console", "console, file or smtp")
        access_point = read(
            "PEPPOL_ACCESS_POINT", _one_of(AccessPointKind), "download", "download, folder or rest"
        )
        provider = read(
            "PAYMENT_PROVIDER", _one_of(PaymentProviderKind), "none", "none, stripe, mollie or demo"
        )
        settings = cls(
            instance=instance,
            database_url=read(
                "DATABASE_URL",
                _database_url,
                f"sqlite:///{instance / 'portal.sqlite3'}",
                "sqlite:///path/to/file or postgresql://user@host/database",
            ),
            secret_key=read("SECRET_KEY", _secret, "", f"at least {SHORTEST_SECRET} characters, kept secret")
            or _own_secret(instance),
            secret_key_fallbacks=tuple(
                read(
                    "SECRET_KEY_FALLBACKS",
                    lambda text: [_secret(key) for key in text.split()],
                    "",
                    f"former keys separated by spaces, each of at least {SHORTEST_SECRET} characters",
                )
            ),
            clock=read("PORTAL_CLOCK", _date_or_none, "", "nothing, or a date such as 2026-11-16"),
            time_zone=read(
                "PORTAL_TIME_ZONE", _zone, "Europe/Brussels", "an IANA name such as Europe/Brussels"
            ),
            mail_backend=cast(MailBackend, backend),
            mail_folder=read("MAIL_FOLDER", Path, str(instance / "mail"), "a folder"),
            mail_from=read("MAIL_FROM", _address, "facturation@example.org", "an e-mail address"),
            smtp_host=read("SMTP_HOST", str, "", "a host name"),
            smtp_port=read("SMTP_PORT", _between(1, 65535), "587", "a port, from 1 to 65535"),
            smtp_user=read("SMTP_USER", str, "", "a user name"),
            smtp_password=read("SMTP_PASSWORD", str, "", "a password"),
            smtp_starttls=read("SMTP_STARTTLS", _yes_or_no, "yes", "yes or no"),
            base_url=read(
                "PORTAL_BASE_URL",
                _base_url,
                "http://127.0.0.1:8000",
                "an address without path, such as https://abonnement.example.org",
            ),
            default_locale=cast(Locale, read("PORTAL_DEFAULT_LOCALE", _one_of(Locale), "fr", "fr, nl or en")),
            peppol_rules_folder=read("PEPPOL_RULES_FOLDER", _folder_or_none, "", "a folder that exists"),
            access_point=cast(AccessPointKind, access_point),
            access_point_folder=read(
                "PEPPOL_ACCESS_POINT_FOLDER", Path, str(instance / "peppol"), "a folder"
            ),
            access_point_url=read(
                "PEPPOL_ACCESS_POINT_URL",
                lambda text: _base_url(text) if text else "",
                "",
                "an address without path, such as https://api.e-invoice.be",
            ),
            access_point_key=read("PEPPOL_ACCESS_POINT_KEY", str, "", "the key given by the access point"),
            sends_unchecked=read("PEPPOL_SEND_UNCHECKED", _yes_or_no, "no", "yes or no"),
            payment_provider=cast(PaymentProviderKind, provider),
            payment_key=read("PAYMENT_PROVIDER_KEY", str, "", "the secret key given by the provider"),
            payment_webhook_secrets=tuple(
                read(
                    "PAYMENT_WEBHOOK_SECRETS",
                    str.split,
                    "",
                    "the secret of the webhook, then former ones, separated by spaces",
                )
            ),
            payment_url=read(
                "PAYMENT_PROVIDER_URL",
                lambda text: _base_url(text) if text else "",
                "",
                "nothing, or an address without path for tests",
            ),
            webhooks_anywhere=read("WEBHOOKS_ANYWHERE", _yes_or_no, "no", "yes or no"),
            webhook_ports=read(
                "WEBHOOK_PORTS", _ports, "443 8443", "ports separated by spaces, each from 1 to 65535"
            ),
            webhooks_at_once=read("WEBHOOKS_AT_ONCE", _yes_or_no, "yes", "yes or no"),
            api_rate=read(
                "API_RATE", _between(1, 100_000), "600", "requests per key and minute, from 1 to 100000"
            ),
            staff_two_factor=cast(
                StaffTwoFactor,
                read(
                    "PORTAL_STAFF_TWO_FACTOR",
                    _one_of(StaffTwoFactor),
                    "required",
                    "required or optional",
                ),
            ),
            oidc_issuer=read(
                "PORTAL_OIDC_ISSUER",
                _issuer,
                "",
                "nothing, or the issuer as its description names it, such as https://id.example.org/realms/equipe",
            ),
            oidc_client_id=read("PORTAL_OIDC_CLIENT_ID", str, "", "the client id given by the provider"),
            oidc_client_secret=read("PORTAL_OIDC_CLIENT_SECRET", str, "", "the secret given by the provider"),
            oidc_label=read("PORTAL_OIDC_LABEL", _at_most(40), "", "the provider's name, 40 signs at most"),
            oidc_second_step=tuple(
                read("PORTAL_OIDC_SECOND_STEP", str.split, "", "values of acr or amr, separated by spaces")
            ),
            session_idle_minutes=read(
                "SESSION_IDLE_MINUTES", _between(1, 1440), "480", "whole minutes, from 1 to 1440"
            ),
            session_absolute_hours=read(
                "SESSION_ABSOLUTE_HOURS", _between(1, 720), "336", "whole hours, from 1 to 720"
            ),
            announce_days=read(
                "PORTAL_ANNOUNCE_DAYS", _days, "60 30 7", "days separated by spaces, each from 0 to 365"
            ),
            sepa_notice_days=read(
                "SEPA_PRE_NOTIFICATION_DAYS", _between(1, 14), "14", "whole days, from 1 to 14"
            ),
            proxies=read("PORTAL_PROXIES", _between(0, 5), "0", "how many proxies stand in front, 0 to 5"),
        )
        if backend == "smtp" and not settings.smtp_host:
            raise WrongSetting("SMTP_HOST", "missing, while MAIL_BACKEND is smtp", "the mail server's name")
        if access_point == "rest" and not (settings.access_point_url and settings.access_point_key):
            raise WrongSetting(
                "PEPPOL_ACCESS_POINT_URL",
                "it or PEPPOL_ACCESS_POINT_KEY is missing, while PEPPOL_ACCESS_POINT is rest",
                "the address of the access point and the key it gave",
            )
        settings._check_payments()
        settings._check_oidc()
        return settings

    def _check_oidc(self) -> None:
        given = {
            "PORTAL_OIDC_ISSUER": self.oidc_issuer,
            "PORTAL_OIDC_CLIENT_ID": self.oidc_client_id,
            "PORTAL_OIDC_CLIENT_SECRET": self.oidc_client_secret,
        }
        missing = [variable for variable, value in given.items() if not value]
        if missing and len(missing) < len(given):
            raise WrongSetting(
                missing[0], "missing, while others of PORTAL_OIDC_* are set", "all three, or none"
            )

    def _check_payments(self) -> None:
        if self.payment_provider == "demo" and self.is_https:
            raise WrongSetting(
                "PAYMENT_PROVIDER",
                "demo accepts every payment, and PORTAL_BASE_URL is a public address",
                "none, stripe or mollie",
            )
        if self.payment_provider in {"stripe", "mollie"} and not self.payment_key:
            raise WrongSetting(
                "PAYMENT_PROVIDER_KEY",
                f"missing, while PAYMENT_PROVIDER is {self.payment_provider}",
                "the secret key given by the provider",
            )
        if self.payment_provider == "stripe" and not self.payment_webhook_secrets:
            raise WrongSetting(
                "PAYMENT_WEBHOOK_SECRETS",
                "missing, while PAYMENT_PROVIDER is stripe",
                "the signing secret of the webhook, whsec_…",
            )


class _Reader:
    """Reads one variable at a time and turns any misreading into a WrongSetting."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def __call__(self, variable: str, convert: Callable[[str], Value], default: str, expected: str) -> Value:
        text = self.environ.get(variable, "").strip() or default
        try:
            return convert(text)
        except ValueError as error:
            shown = "the value given" if re.search("SECRET|PASSWORD|KEY", variable) else repr(text)
            raise WrongSetting(variable, f"{shown} cannot be used ({error})", expected) from None


def _one_of(choices: object) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in get_args(choices):
            raise ValueError("not one of the choices")
        return text

    return convert


def _between(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError("out of bounds")
        return int(text)

    return convert


def _days(text: str) -> tuple[int, ...]:
    days = _between(0, 365)
    return tuple(sorted({days(each) for each in text.split()}, reverse=True))


def _ports(text: str) -> tuple[int, ...]:
    port = _between(1, 65535)
    return tuple(sorted({port(each) for each in text.split()}))


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("not a database address") from None
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    if url.drivername == "sqlite":
        return text
    raise ValueError("neither SQLite nor PostgreSQL")


def _secret(text: str) -> str:
    if text and len(text) < SHORTEST_SECRET:
        raise ValueError(f"only {len(text)} characters")
    return text


def _date_or_none(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except ZoneInfoNotFoundError:
        raise ValueError("unknown time zone") from None


def _address(text: str) -> str:
    if "@" not in text or any(sign in text for sign in "\r\n"):
        raise ValueError("not an address")
    return text


def _yes_or_no(text: str) -> bool:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in answers:
        raise ValueError("neither yes nor no")
    return answers[text.lower()]


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError("not a bare http address")
    return f"{parts.scheme}://{parts.netloc}"


def _issuer(text: str) -> str:
    """An issuer is compared sign by sign: nothing of it is tidied up."""
    parts = urlsplit(text)
    at_home = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if text and not (parts.hostname and (parts.scheme == "https" or at_home)):
        raise ValueError("not an https address")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("more than an address and a path")
    return text


def _at_most(most: int) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if len(text) > most:
            raise ValueError(f"{len(text)} signs")
        return text

    return convert


def _folder_or_none(text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text)
    if not folder.is_dir():
        raise ValueError("no such folder")
    return folder


def _own_secret(instance: Path) -> str:
    """The installation's own key, made at the first start and readable by its owner alone."""
    file = instance / "secret_key"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = file.read_text().strip()
        if len(key) < SHORTEST_SECRET:
            raise WrongSetting(
                "SECRET_KEY", f"{file} is too short", "a longer key, or no such file"
            ) from None
        return key
    key = secrets.token_urlsafe(48)
    with os.fdopen(handle, "w") as opened:
        opened.write(key)
    return key

"""A wrong setting stops the start, and its message names the variable, what was found and what is expected."""

import stat
from datetime import date

import pytest
from flask import Flask

from webapp import oidc
from webapp.adapters.oidc import provider_for
from webapp.config import Settings, WrongSetting


def read(tmp_path, **variables):
    return Settings.from_env({"PORTAL_INSTANCE": str(tmp_path / "instance"), **variables})


def test_an_empty_environment_is_enough_to_start(tmp_path):
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path / 'instance' / 'portal.sqlite3'}"
    assert settings.mail_backend == "console"
    assert settings.default_locale == "fr"


def test_the_key_made_at_the_first_start_stays_and_only_its_owner_reads_it(tmp_path):
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE((tmp_path / "instance" / "secret_key").stat().st_mode) == 0o600


def test_a_postgresql_address_is_read_with_our_driver(tmp_path):
    settings = read(tmp_path, DATABASE_URL="postgres://billing:secret@db/portal")
    assert settings.database_url == "postgresql+psycopg://billing:secret@db/portal"


def test_the_clock_of_a_demo_is_a_date(tmp_path):
    assert read(tmp_path, PORTAL_CLOCK="2026-11-16").clock == date(2026, 11, 16)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("DATABASE_URL", "mysql://root@db/portal", "sqlite:///"),
        ("DATABASE_URL", "nonsense", "sqlite:///"),
        ("SECRET_KEY", "short", "at least 32 characters"),
        ("SECRET_KEY_FALLBACKS", "short", "at least 32 characters"),
        ("PORTAL_CLOCK", "16/11/2026", "2026-11-16"),
        ("PORTAL_TIME_ZONE", "Brussels", "Europe/Brussels"),
        ("MAIL_BACKEND", "pigeon", "console, file or smtp"),
        ("MAIL_FROM", "nobody", "e-mail address"),
        ("SMTP_PORT", "70000", "1 to 65535"),
        ("SMTP_STARTTLS", "maybe", "yes or no"),
        ("PORTAL_BASE_URL", "portal.example.be", "without path"),
        ("PORTAL_BASE_URL", "https://portal.example.be/abonnement", "without path"),
        ("PORTAL_DEFAULT_LOCALE", "de", "fr, nl or en"),
        ("PEPPOL_RULES_FOLDER", "/nowhere/at/all", "a folder that exists"),
        ("SESSION_IDLE_MINUTES", "0", "1 to 1440"),
        ("SESSION_ABSOLUTE_HOURS", "twelve", "1 to 720"),
        ("PORTAL_PROXIES", "-1", "0 to 5"),
        ("PORTAL_OIDC_ISSUER", "http://id.example.org", "https://id.example.org"),
        ("PORTAL_OIDC_ISSUER", "https://id.example.org/?realm=team", "https://id.example.org"),
        ("PORTAL_OIDC_LABEL", "x" * 41, "40 signs"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_expected(tmp_path, variable, value, expected):
    with pytest.raises(WrongSetting) as refused:
        read(tmp_path, **{variable: value})
    assert str(refused.value).startswith(f"{variable}: ")
    assert expected in str(refused.value)


def test_a_refused_secret_is_not_shown(tmp_path):
    with pytest.raises(WrongSetting) as refused:
        read(tmp_path, SECRET_KEY="hunter2")
    assert "hunter2" not in str(refused.value)


def test_smtp_needs_its_server(tmp_path):
    with pytest.raises(WrongSetting, match="SMTP_HOST: missing"):
        read(tmp_path, MAIL_BACKEND="smtp")


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        (
            {"PAYMENT_PROVIDER": "demo", "PORTAL_BASE_URL": "https://abonnement.example.org"},
            "PAYMENT_PROVIDER",
        ),
        ({"PAYMENT_PROVIDER": "paypal"}, "PAYMENT_PROVIDER"),
        ({"PAYMENT_PROVIDER": "mollie"}, "PAYMENT_PROVIDER_KEY"),
        ({"PAYMENT_PROVIDER": "stripe", "PAYMENT_PROVIDER_KEY": "sk_x"}, "PAYMENT_WEBHOOK_SECRETS"),
    ],
)
def test_a_payment_provider_needs_what_it_needs_and_the_demo_stays_at_home(tmp_path, given, variable):
    with pytest.raises(WrongSetting, match=f"^{variable}: "):
        read(tmp_path, **given)


def test_a_former_webhook_secret_is_kept_beside_the_present_one(tmp_path):
    settings = read(
        tmp_path,
        PAYMENT_PROVIDER="stripe",
        PAYMENT_PROVIDER_KEY="sk_x",
        PAYMENT_WEBHOOK_SECRETS="whsec_new whsec_old",
    )
    assert settings.payment_webhook_secrets == ("whsec_new", "whsec_old")


OIDC = {
    "PORTAL_OIDC_ISSUER": "https://id.example.org/realms/team/",
    "PORTAL_OIDC_CLIENT_ID": "portal",
    "PORTAL_OIDC_CLIENT_SECRET": "given by the provider",
}


def test_the_identity_provider_is_named_as_it_names_itself(tmp_path):
    settings = read(tmp_path, **OIDC, PORTAL_OIDC_SECOND_STEP="mfa otp")
    found = provider_for(settings)
    assert found is not None
    assert (found.issuer, found.label) == ("https://id.example.org/realms/team/", "id.example.org")
    assert found.second_step == {"mfa", "otp"}
    assert "given by" not in repr(found)
    assert provider_for(read(tmp_path)) is None


@pytest.mark.parametrize("missing", sorted(OIDC))
def test_an_identity_provider_half_set_stops_the_start(tmp_path, missing):
    given = {variable: value for variable, value in OIDC.items() if variable != missing}
    with pytest.raises(WrongSetting, match=f"^{missing}: missing"):
        read(tmp_path, **given)


def test_an_identity_provider_needs_the_extra(tmp_path, monkeypatch):
    app = Flask(__name__)
    app.extensions["portal_settings"] = read(tmp_path, **OIDC)
    monkeypatch.setattr(oidc, "find_spec", lambda _name: None)
    with pytest.raises(WrongSetting, match="Authlib is not installed"):
        oidc.init_app(app)

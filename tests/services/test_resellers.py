"""A reseller as a tenant: its policy, origins, keys and theme, each change with its audit line."""

import struct
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from tests.builders import CLAIRE, LONG_AGO, a_reseller, an_account, noon
from webapp.adapters.vault import Purpose, Vault
from webapp.domain.access import Role
from webapp.domain.colours import Colour
from webapp.domain.refusals import (
    BadKey,
    BadLogo,
    BadOrigin,
    BrandTooPale,
    KeyNameTaken,
    ResellerWithoutAccount,
    TooManyKeys,
)
from webapp.domain.reselling import EVERYTHING, BilledParty, InvoicesShown, KeyAlgorithm, PricesShown
from webapp.domain.themes import Font, Radius, Tokens
from webapp.models.records import AuditEntry
from webapp.models.resellers import ResellerAccount
from webapp.services import resellers
from webapp.services.resellers import Policy, ResellerNotFound

NOW = noon(LONG_AGO)
VAULT = Vault(["a key for the tests, as long as it must be"], Purpose.RESELLER_KEYS)
BURGUNDY = Tokens(Colour.parse("#a3195b"), Radius.SOFT, Font.WIDE)
pytestmark = pytest.mark.database


def pem(private) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def a_png(width=200, height=60) -> bytes:
    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def audited(session) -> list[AuditEntry]:
    return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def test_a_policy_says_what_its_clients_see_and_leaves_its_line(session):
    reseller = a_reseller(session)
    account = an_account(session, reseller=reseller)
    direct = an_account(session, "Ailleurs")
    wanted = Policy(
        ("options",),
        ("nl", "fr"),
        BilledParty.RESELLER,
        PricesShown.NONE,
        InvoicesShown.NONE,
        Role.VIEWER,
    )
    with pytest.raises(ResellerWithoutAccount):
        resellers.set_policy(session, reseller, wanted, NOW, CLAIRE)
    session.add(ResellerAccount(reseller_id=reseller.id, account_id=direct.id))
    resellers.set_policy(session, reseller, wanted, NOW, CLAIRE)
    resellers.set_policy(session, reseller, wanted, NOW, CLAIRE)
    assert resellers.policy_of(reseller) == wanted
    seen = resellers.showing(session, account.id)
    assert not seen.amounts
    assert not seen.platform_invoices
    assert resellers.showing(session, direct.id) == EVERYTHING
    [line] = audited(session)
    assert (line.action, line.subject) == ("reseller.policy_changed", "horecaplus")
    assert (line.before["billed_party"], line.after["billed_party"]) == ("client", "reseller")
    assert "allowed_actions" not in line.after  # what did not change is not told


def test_origins_are_exact_and_told_once(session):
    reseller = a_reseller(session)
    resellers.set_origins(
        session, reseller, ["https://Espace.example/", "https://espace.example"], NOW, CLAIRE
    )
    assert reseller.allowed_origins == ["https://espace.example"]
    with pytest.raises(BadOrigin):
        resellers.set_origins(session, reseller, ["http://espace.example"], NOW, CLAIRE)
    assert reseller.allowed_origins == ["https://espace.example"]


def test_two_keys_are_active_at_most_and_a_name_is_used_once(session):
    reseller = a_reseller(session)
    first = pem(ed25519.Ed25519PrivateKey.generate())
    resellers.add_public_key(session, reseller, "2026-a", KeyAlgorithm.EDDSA, first, NOW, CLAIRE)
    second = pem(ec.generate_private_key(ec.SECP256R1()))
    resellers.add_public_key(session, reseller, "2026-b", KeyAlgorithm.ES256, second, NOW, CLAIRE)
    with pytest.raises(TooManyKeys):
        resellers.add_secret(session, reseller, "2026-c", VAULT, NOW, CLAIRE)
    resellers.revoke_key(session, reseller, "2026-a", NOW, CLAIRE)
    assert resellers.active_key(session, reseller.id, "2026-a") is None
    with pytest.raises(KeyNameTaken):
        resellers.add_public_key(session, reseller, "2026-a", KeyAlgorithm.EDDSA, first, NOW, CLAIRE)
    key, secret = resellers.add_secret(session, reseller, "2026-c", VAULT, NOW, CLAIRE)
    assert len(secret) == 43
    assert VAULT.open(key.sealed_secret) == secret
    assert [each.kid for each in resellers.keys(session, reseller.id)] == ["2026-c", "2026-b", "2026-a"]
    told = [line for line in audited(session) if line.action.startswith("reseller.key")]
    assert [line.after["kid"] for line in told] == ["2026-a", "2026-b", "2026-a", "2026-c"]
    assert secret not in str([line.after for line in told])


def test_the_key_of_another_reseller_is_unknown(session):
    reseller, other = a_reseller(session), a_reseller(session, "ailleurs")
    public = pem(ed25519.Ed25519PrivateKey.generate())
    resellers.add_public_key(session, reseller, "2026-a", KeyAlgorithm.EDDSA, public, NOW, CLAIRE)
    assert resellers.active_key(session, other.id, "2026-a") is None
    with pytest.raises(ResellerNotFound):
        resellers.revoke_key(session, other, "2026-a", NOW, CLAIRE)


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        (KeyAlgorithm.EDDSA, "rien"),
        (KeyAlgorithm.EDDSA, pem(ec.generate_private_key(ec.SECP256R1()))),
        (KeyAlgorithm.ES256, pem(ec.generate_private_key(ec.SECP384R1()))),
        (KeyAlgorithm.ES256, pem(rsa.generate_private_key(65537, 2048))),
        (KeyAlgorithm.HS256, pem(ed25519.Ed25519PrivateKey.generate())),
    ],
)
def test_a_key_is_of_its_algorithm(session, algorithm, text):
    with pytest.raises(BadKey):
        resellers.add_public_key(session, a_reseller(session), "2026-a", algorithm, text, NOW, CLAIRE)


def test_a_theme_is_published_once_and_its_former_one_stays(session):
    reseller = a_reseller(session)
    first = resellers.publish_theme(session, reseller, BURGUNDY, None, NOW, CLAIRE)
    same = resellers.publish_theme(session, reseller, BURGUNDY, None, NOW, CLAIRE)
    assert same.id == first.id
    later = resellers.publish_theme(
        session, reseller, BURGUNDY._replace(radius=Radius.SQUARE), a_png(), NOW, CLAIRE
    )
    assert resellers.theme(session, reseller) == later
    assert later.logo_type == "image/png"
    assert resellers.published_theme(session, first.hash) == first
    assert resellers.tokens_of(first) == BURGUNDY
    with pytest.raises(BrandTooPale):
        resellers.publish_theme(session, reseller, Tokens(Colour.parse("#ffd400")), None, NOW, CLAIRE)
    assert resellers.theme(session, reseller) == later


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        a_png(width=2000),
        a_png() + b"\0" * 200_000,
    ],
    ids=["svg", "gif", "cut short", "too wide", "too heavy"],
)
def test_a_logo_is_a_small_raster_image(session, content):
    with pytest.raises(BadLogo):
        resellers.publish_theme(session, a_reseller(session), BURGUNDY, content, NOW, CLAIRE)

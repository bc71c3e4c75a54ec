"""What docs/embed tells a reseller's developer is true: its examples open the portal, its hash is that of the loader."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.builders import a_reseller, a_subscription, a_user
from tests.support.embedding import ORIGIN, PORTAL, Signer, open_frame, register
from webapp.domain.access import Role
from webapp.domain.embedding import Why, tells_the_developer
from webapp.embed_loader import PATH as LOADER

FOLDER = Path(__file__).parents[2] / "docs" / "embed"
GUIDE = (FOLDER / "README.md").read_text()
RUNTIMES = {"assertion.py": sys.executable, "assertion.mjs": "node", "assertion.php": "php"}
# Each example runs where its runtime is: the others are left out, as the official rules of documents are.
EXAMPLES = [name for name, runtime in RUNTIMES.items() if shutil.which(runtime)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_signs_what_opens_the_portal(client, session, tmp_path, example):
    reseller = a_reseller(session)
    contract = a_subscription(session, "salle", reseller=reseller)
    reference = contract.account.reference
    signer = Signer(reseller.slug, reference, a_user(session, contract.account, Role.OWNER).email)
    register(session, reseller, signer)
    key = tmp_path / "portal-key.pem"
    key.write_bytes(signer.key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings = {
        "PORTAL_KEY_FILE": str(key),
        "PORTAL_KEY_ID": signer.kid,
        "PORTAL_SLUG": signer.slug,
        "PORTAL_URL": PORTAL,
        "PORTAL_ORIGIN": ORIGIN,
    }
    asked = [RUNTIMES[example], str(FOLDER / example), reference, signer.person, "administrator"]
    signed = subprocess.run(asked, env=os.environ | settings, capture_output=True, text=True, check=True)
    assert open_frame(client, signer.slug, signed.stdout.strip()).status_code == 200


def test_the_hash_of_the_guide_is_the_one_of_the_loader():
    digest = base64.b64encode(hashlib.sha384(LOADER.read_bytes()).digest()).decode()
    assert re.findall(r'integrity="sha384-([^"]+)"', GUIDE) == [digest]


def test_the_guide_names_each_code_that_a_developer_may_meet():
    told = {why.value for why in Why if tells_the_developer(why)} | {
        "missing",
        "malformed",
        "too_many",
        "not_accepted",
    }
    table = GUIDE.split("## When the frame does not open")[1]
    assert set(re.findall(r"`([a-z_]+)`", table)) - {"kid", "typ", "alg"} == told


def test_the_scripts_make_no_markup_and_tell_no_other_origin():
    for script in (LOADER, LOADER.with_name("frame.js")):
        text = script.read_text()
        assert not re.search(r"\beval\b|innerHTML =|new Function|document\.write", text)
        assert '"*"' not in text

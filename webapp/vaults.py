"""The vaults of this installation, one per kind of secret: for doors and commands, which hand them to services."""

from flask import current_app

from webapp.adapters.vault import Purpose, Vault
from webapp.config import Settings


def vault(purpose: Purpose) -> Vault:
    """The vault of one kind of secret, made the first time it is asked for."""
    if purpose is Purpose.SECOND_FACTORS:
        own: Vault = current_app.extensions["portal_vault"]
        return own
    vaults: dict[Purpose, Vault] = current_app.extensions.setdefault("portal_vaults", {})
    if purpose not in vaults:
        settings: Settings = current_app.extensions["portal_settings"]
        vaults[purpose] = Vault([settings.secret_key, *settings.secret_key_fallbacks], purpose)
    return vaults[purpose]

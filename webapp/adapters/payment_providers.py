"""The payment provider that the settings name. Each library is loaded only when its provider is used."""

from webapp.adapters.payment_provider import PaymentProvider
from webapp.config import Settings


def provider_for(settings: Settings) -> PaymentProvider | None:
    """None when invoices are paid by transfer and direct debit only."""
    own_keys = (settings.secret_key, *settings.secret_key_fallbacks)
    match settings.payment_provider:
        case "stripe":
            from webapp.adapters.stripe_provider import StripeProvider

            return StripeProvider(
                settings.payment_key, settings.payment_webhook_secrets, settings.payment_url
            )
        case "mollie":
            from webapp.adapters.mollie_provider import MollieProvider

            secrets = settings.payment_webhook_secrets or own_keys
            return MollieProvider(settings.payment_key, secrets, settings.payment_url, settings.time_zone)
        case "demo":
            from webapp.adapters.demo_provider import DemoProvider

            return DemoProvider(settings.instance / "demo-payments", own_keys)
        case _:
            return None

"""The environment of this service."""

from pydantic import Field, SecretStr, field_validator, model_validator

from accounts.topups.money import Limits, parse_limits
from carillon.runtime.settings import CarillonSettings


class Settings(CarillonSettings):
    """`CARILLON_ADMIN_TOKEN` (or `CARILLON_ADMIN_TOKEN_FILE`) opens the admin API; without it that API is shut.

    `CARILLON_STRIPE_KEY` and `CARILLON_STRIPE_WEBHOOK_SECRET` (both also as `..._FILE`) make top-ups by Stripe
    Checkout; without them `CARILLON_TEST_PAYMENTS=true` makes them by the embedded test provider, behind which there
    is no money. `CARILLON_PUBLIC_URL` is where browsers reach the platform, `CARILLON_TOPUP_LIMITS` the least and most
    of a top-up by currency; a currency that it does not name is not paid by card.
    """

    accounts_port: int = 8081
    public_url: str = "http://127.0.0.1:8080"
    stripe_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    stripe_api_base: str = "https://api.stripe.com"
    test_payments: bool = False
    topup_limits: str = Field(default="EUR=5:5000,USD=5:5000,GBP=5:5000,CHF=5:5000,CAD=5:5000,MAD=50:50000")

    @property
    def limits(self) -> Limits:
        """Least and most of a top-up, by currency."""
        return parse_limits(self.topup_limits)

    @field_validator("topup_limits")
    @classmethod
    def _check_limits(cls, value: str) -> str:
        parse_limits(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("an http or https URL")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _both_of_stripe(self) -> "Settings":
        if (self.stripe_key is None) != (self.stripe_webhook_secret is None):
            raise ValueError("CARILLON_STRIPE_KEY and CARILLON_STRIPE_WEBHOOK_SECRET go together")
        return self

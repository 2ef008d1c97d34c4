"""The listed prices of the small things, by provider: what the ledger needs besides the journal."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.model.cloud import Billing
from fleet.model.rates import Rates
from fleet.providers.base import Provider


def rates_of(providers: Mapping[str, Provider]) -> dict[str, Rates]:
    """Of every cloud that asks for them. Read from fleet's own lists: no credentials, no call."""
    from fleet.providers.aws.rates import aws_rates
    from fleet.providers.gcp.rates import gcp_rates

    found = {"aws": aws_rates(), "gcp": gcp_rates()}
    for name, rates in found.items():
        if name in providers and not providers[name].capabilities.address_price:  # its machines were set up without one
            none = {"address_hour": 0, "address_hour_spot": None}
            regions = {
                region: {key: price for key, price in own.items() if key not in none}
                for region, own in rates.regions.items()
            }
            found[name] = rates.model_copy(update={**none, "regions": regions})
    return found


def billing_of(providers: Mapping[str, Provider]) -> dict[str, Billing]:
    """How each charges for its machines."""
    return {name: provider.capabilities.billing for name, provider in providers.items()}

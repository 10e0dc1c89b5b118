"""Low balances are told: in the log when an account's comes to be so, and in a metric as long as some are."""

import structlog

from carillon.mongo import Database
from carillon.telemetry import metrics

log = structlog.get_logger(__name__)


class WatchLowBalances:
    """Looks at the accounts that want a warning. Any number of processes may: each turn of a balance is logged once."""

    def __init__(self, database: Database) -> None:
        self._accounts = database["accounts"]
        self._balances = database["balances"]

    async def sweep(self) -> None:
        """Compare each with what it wants to be warned of."""
        low = 0
        wanted = {"low_balance_micros": {"$gt": 0}, "state": "active", "prepaid": True}
        async for account in self._accounts.find(wanted, {"low_balance_micros": 1}):
            balance = await self._balances.find_one({"_id": account["_id"]})
            if balance is None:
                continue
            total = sum(balance.get(book, 0) for book in ("available", "leased", "held"))
            is_low = total <= account["low_balance_micros"]
            low += is_low
            if is_low != balance.get("told_low", False):
                turned = await self._balances.update_one(
                    {"_id": account["_id"], "told_low": {"$ne": is_low}}, {"$set": {"told_low": is_low}}
                )
                if turned.modified_count and is_low:
                    log.warning("credit.low_balance", account=account["_id"], balance_micros=total)
        metrics.set_low_balances(low)

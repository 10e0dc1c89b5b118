"""The one route of single messages that is served here: cancelling what is still scheduled."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path

from campaign_scheduler.deferred import Releases
from carillon.http.principal import Directory, Principal, require_scope
from carillon.runtime.clock import Clock

SCOPE: Final = "messages"
MessageId = Annotated[int, Path(ge=1, le=(1 << 63) - 1, description="the id that was given when it was accepted")]


def routes(releases: Releases, accounts: Directory, clock: Clock) -> APIRouter:
    """`DELETE /v1/messages/{id}`."""
    router = APIRouter(tags=["messages"])
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.delete("/v1/messages/{message_id}", status_code=204)
    async def cancel_message(message_id: MessageId, principal: user) -> None:
        """Cancel a message that waits for its `send_at`; 409 when it was released."""
        await releases.cancel(principal.account_id, message_id)

    return router

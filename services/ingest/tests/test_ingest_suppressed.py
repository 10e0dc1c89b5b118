"""A number that has said STOP is refused at both doors, to the account that it was said to and to no other."""

from typing import Any

NUMBER = "33614806759"
ONE = {"to": NUMBER, "text": "Test"}


async def test_the_legacy_door_says_rejected_and_names_the_reason(ingest: Any) -> None:
    ingest.stopped.numbers.add(("acc_1", NUMBER))
    answer = await ingest.push(f"number={NUMBER}&content=Test")
    assert (answer.status, answer.text) == (200, "KO - SMS rejected")
    assert answer.headers["carillon-reason"] == "suppressed"
    assert ingest.said == []


async def test_the_json_door_says_a_problem_that_names_the_field(ingest: Any) -> None:
    ingest.stopped.numbers.add(("acc_1", NUMBER))
    answer = await ingest.post("/v1/messages", ONE)
    assert (answer.status, answer.json["code"]) == (422, "suppressed")
    assert answer.json["errors"][0]["pointer"] == "#/to"
    assert ingest.said == []


async def test_the_others_of_a_batch_are_taken(ingest: Any) -> None:
    ingest.stopped.numbers.add(("acc_1", NUMBER))
    answer = await ingest.post("/v1/messages", {"messages": [ONE, {**ONE, "to": "33614806760"}]})
    first, second = answer.json["results"]
    assert answer.status == 202
    assert (first["error"]["code"], first["error"]["errors"][0]["pointer"]) == ("suppressed", "#/messages/0/to")
    assert second["status"] == "accepted"
    assert [message.number for message in ingest.said] == ["33614806760"]


async def test_what_another_account_was_told_does_not_count(ingest: Any) -> None:
    ingest.stopped.numbers.add(("acc_2", NUMBER))
    assert (await ingest.post("/v1/messages", ONE)).status == 202


async def test_a_message_that_was_taken_keeps_its_answer(ingest: Any) -> None:
    """A retry with the same key hears of the message that it made, not of the STOP that came after it."""
    first = await ingest.post("/v1/messages", ONE, idempotency_key="k1")
    ingest.stopped.numbers.add(("acc_1", NUMBER))
    again = await ingest.post("/v1/messages", ONE, idempotency_key="k1")
    assert (first.status, again.status) == (202, 202)
    assert again.json == first.json
    assert (await ingest.post("/v1/messages", ONE, idempotency_key="k2")).status == 422

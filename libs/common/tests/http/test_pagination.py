"""Cursors and pages."""

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from carillon.http.app import create_app
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.problem import Problem

PLACES = st.tuples(st.integers(0, (1 << 63) - 1), st.text(max_size=30))


@given(PLACES)
def test_a_cursor_comes_back_as_it_went(place: tuple[int, str]) -> None:
    cursor = encode_cursor(place)
    assert decode_cursor(cursor, tuple[int, str]) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=60))
def test_any_other_word_is_a_problem_or_a_place(word: str) -> None:
    try:
        number, text = decode_cursor(word, tuple[int, str])
        assert isinstance(number, int)
        assert isinstance(text, str)
    except Problem as problem:
        told = (problem.status, problem.code)
    else:
        told = (400, "bad_cursor")
    assert told == (400, "bad_cursor")


@pytest.mark.parametrize("cursor", ["", "é", "====", encode_cursor("text"), encode_cursor((1,)), encode_cursor((1, 2))])
def test_a_cursor_of_another_list_is_a_problem(cursor: str) -> None:
    with pytest.raises(Problem, match="bad_cursor"):
        decode_cursor(cursor, tuple[int, str])


async def test_a_list_is_walked_to_its_end_by_its_links() -> None:
    router = APIRouter()

    @router.get("/v1/things")
    async def things(
        request: Request, response: Response, limit: Limit = 3, cursor: CursorParameter = None, kind: str = ""
    ) -> Page[int]:
        start = decode_cursor(cursor, int) if cursor else 0
        items = list(range(start, min(start + limit, 8)))
        following = encode_cursor(start + limit) if start + limit < 8 else None
        add_next_link(request, response, following)
        assert kind == "a&b"
        return Page(items=items, next=following)

    app = create_app("Carillon sample", routers=[router])
    seen: list[int] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        path = "/v1/things?kind=a%26b&limit=3"
        pages = 0
        while path:
            answer = await client.get(path)
            seen += answer.json()["items"]
            path = answer.links["next"]["url"] if answer.links else ""
            assert (answer.json()["next"] is None) == (not path)
            pages += 1
        assert (await client.get("/v1/things?kind=a%26b&cursor=rubbish")).json()["code"] == "bad_cursor"
        assert (await client.get("/v1/things?kind=a%26b&limit=501")).status_code == 422
    assert (seen, pages) == (list(range(8)), 3)

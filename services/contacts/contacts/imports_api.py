"""The HTTP of imports: upload, progress, report, undo."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

from carillon.http.idempotency import REPLAYED_HEADER, KeyHeader
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import FieldError, Problem
from carillon.runtime.clock import Clock
from contacts.contacts_api import SCOPE
from contacts.imports.desk import Desk
from contacts.imports.report import report
from contacts.imports.upload import Options, Uploads
from contacts.schemas import UploadOptions
from contacts.store import Stores
from contacts.store.chunks import CHUNK_BYTES
from contacts.views import ImportView

_KEY: Final = re.compile(r"[ -~]{1,255}", re.ASCII)
_POLL_S: Final = 0.5
_HEARTBEATS: Final = 30  # polls without a change
_FILE: Final = {"type": "string", "format": "binary", "description": "CSV or .xlsx"}
_UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A form with the field `file` and the options, or the file itself and the options in the query.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": _FILE,
                        **{
                            name: {key: value for key, value in schema.items() if key != "title"}
                            for name, schema in UploadOptions.model_json_schema()["properties"].items()
                        },
                    },
                }
            },
            "text/csv": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}

ImportId = Annotated[str, Path(alias="id", examples=["imp_0123456789abcdefghjkmnpqrs"])]


def routes(stores: Stores, desk: Desk, uploads: Uploads, accounts: Directory, clock: Clock) -> APIRouter:
    """Everything under /v1/imports."""
    router = APIRouter(prefix="/v1/imports", tags=["imports"])
    _upload(router, desk, uploads, accounts, clock)
    _look(router, stores, desk, accounts, clock)
    _act(router, desk, accounts, clock)
    return router


def _upload(router: APIRouter, desk: Desk, uploads: Uploads, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.post("", status_code=202, openapi_extra=_UPLOAD, response_model=ImportView)
    async def upload_file(
        request: Request, response: Response, principal: user, idempotency_key: KeyHeader = None
    ) -> ImportView:
        """Upload a file of contacts. It is stored when this answers; its rows are read from then on, see its progress.

        `dry_run` only tells what would become of it, `:start` then does it. With kind `audience` its numbers become no
        contacts: they are whom a campaign goes to.
        """
        if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
            raise Problem(400, "bad_idempotency_key", "The Idempotency-Key can't be used.")
        given = dict(request.query_params)
        form = None
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            form = await request.form(max_files=1, max_fields=20)
            given |= {name: value for name, value in form.items() if isinstance(value, str)}
            file = form.get("file")
            if not isinstance(file, UploadFile):
                error = FieldError(pointer="#/file", code="missing", detail="a file in the field `file`")
                raise Problem(422, "invalid_request", "There is no file.", errors=[error])
            data, name = _pieces(file), file.filename or ""
        else:
            data, name = request.stream(), given.pop("file_name", "")
        try:
            options = _options(given, principal.account.country, name)
            import_, replayed = await uploads.receive(principal.account_id, options, idempotency_key, data)
        finally:
            if form is not None:
                await form.close()
        if replayed:
            response.headers[REPLAYED_HEADER] = "true"
        response.headers["Location"] = f"/v1/imports/{import_.id}"
        return await desk.view(import_)


def _look(router: APIRouter, stores: Stores, desk: Desk, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.get("")
    async def list_imports(
        request: Request, response: Response, principal: user, limit: Limit = 50, cursor: CursorParameter = None
    ) -> Page[ImportView]:
        """The newest first."""
        before = decode_cursor(cursor, str) if cursor else None
        found = await stores.imports.page(principal.account_id, before, limit + 1)
        more = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        add_next_link(request, response, more)
        return Page(items=[await desk.view(import_) for import_ in found[:limit]], next=more)

    @router.get("/{id}")
    async def read_import(principal: user, id_: ImportId) -> ImportView:
        """How far it is: rows read, created, updated, unchanged and refused; and the first rows as understood."""
        return await desk.view(await desk.get(principal.account_id, id_))

    @router.get("/{id}/progress", response_class=StreamingResponse)
    async def watch_import(principal: user, id_: ImportId) -> StreamingResponse:
        """Server-sent events: the import each time that it has moved, until it has ended."""
        await desk.get(principal.account_id, id_)
        return StreamingResponse(
            _progress(desk, principal.account_id, id_),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    @router.get("/{id}/errors", response_class=StreamingResponse)
    async def download_report(principal: user, id_: ImportId) -> StreamingResponse:
        """A CSV with each row that was refused and why, and each that was taken with a note."""
        import_ = await desk.get(principal.account_id, id_)
        return StreamingResponse(
            report(stores.batches, import_),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{import_.id}-errors.csv"'},
        )


def _act(router: APIRouter, desk: Desk, accounts: Directory, clock: Clock) -> None:
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    @router.post("/{id}:start", status_code=202)
    async def start_import(principal: user, id_: ImportId) -> ImportView:
        """Do what was tried with `dry_run`, with the same file."""
        return await desk.view(await desk.start(principal.account_id, id_))

    @router.post("/{id}:undo", status_code=202)
    async def undo_import(principal: user, id_: ImportId) -> ImportView:
        """Take it back: contacts that it made are deleted, those that it changed get their former values, unless they
        were changed by somebody since; its groups are deleted when they are empty. Possible for 30 days."""
        return await desk.view(await desk.undo(principal.account_id, id_))

    @router.delete("/{id}", status_code=204)
    async def delete_import(principal: user, id_: ImportId) -> None:
        """Delete the import, its report and, of an audience, its numbers. Contacts stay."""
        await desk.delete(principal.account_id, id_)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while data := await file.read(CHUNK_BYTES):
        yield data


def _options(given: dict[str, Any], country: str, file_name: str) -> Options:
    try:
        read = UploadOptions.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("query", *each["loc"])} for each in error.errors(include_input=False, include_url=False)]
        ) from error
    return Options(
        kind=read.kind, dry_run=read.dry_run, group=read.group, country=country, file_name=file_name[-200:],
        encoding=read.encoding, separator=read.separator,
    )  # fmt: skip


async def _progress(desk: Desk, account: str, id_: str) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    last = b""
    quiet = 0
    while True:
        import_ = await desk.find(account, id_)
        if import_ is None:
            return
        view = (await desk.view(import_)).model_dump_json().encode()
        quiet += 1
        if view != last:
            last, quiet = view, 0
            yield b"event: import\ndata: %s\n\n" % view
        elif quiet % _HEARTBEATS == 0:
            yield b": \n\n"
        if import_.state in ("finished", "failed", "undone"):
            return
        await asyncio.sleep(_POLL_S)

"""Routes of templates."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from msgspec.structs import replace

from campaign_scheduler.domain.campaign import Campaign
from campaign_scheduler.domain.drafts import checked_numbers
from campaign_scheduler.domain.errors import ConflictError, InvalidError, UnknownError
from campaign_scheduler.domain.placeholders import ValueMissing, parse
from campaign_scheduler.domain.template import Template, check_contents
from campaign_scheduler.domain.texts import Texts
from campaign_scheduler.paying import Pricer
from campaign_scheduler.quoting import Quoting
from campaign_scheduler.schemas import NewTemplate, PreviewRequest, TemplatePatch
from campaign_scheduler.store.templates import TemplateStore
from campaign_scheduler.views import PreviewView, TemplateView, template_view
from carillon.events.audience import Audience, Recipient
from carillon.http.pagination import CursorParameter, Limit, Page, add_next_link, decode_cursor, encode_cursor
from carillon.http.principal import Directory, Principal, require_scope
from carillon.http.problem import overloaded
from carillon.runtime.clock import Clock
from carillon.runtime.ids import new_id
from carillon.sms.explain import explain
from carillon.sms.segments import ContentInvalid

SCOPE: Final = "messages"
_CONTACT_S: Final = 5.0
TemplateId = Annotated[str, Path(max_length=100, description="id or name")]


def routes(templates: TemplateStore, quoting: Quoting, pricer: Pricer, accounts: Directory, clock: Clock) -> APIRouter:
    """`/v1/templates`."""
    router = APIRouter(prefix="/v1/templates", tags=["templates"])
    user = Annotated[Principal, Depends(require_scope(accounts, SCOPE, clock))]

    async def own(principal: Principal, template_id: str) -> Template:
        return await _own(templates, principal, template_id)

    @router.post("", status_code=201)
    async def add_template(given: NewTemplate, response: Response, principal: user) -> TemplateView:
        """A new template."""
        now_ms = clock.now_ms()
        contents = _contents(given.content, given.contents, given.language, {})
        template = Template(
            id=new_id("tpl"),
            account=principal.account_id,
            name=given.name,
            contents=contents,
            language=given.language,
            created_at=now_ms,
            changed_at=now_ms,
        )
        await templates.add(template)
        response.headers["Location"] = f"/v1/templates/{template.id}"
        return _shown(template)

    @router.get("")
    async def list_templates(
        request: Request, response: Response, principal: user, limit: Limit = 50, cursor: CursorParameter = None
    ) -> Page[TemplateView]:
        """The oldest first."""
        after = decode_cursor(cursor, str) if cursor else None
        found = await templates.page(principal.account_id, after, limit)
        next_ = encode_cursor(found[-1].id) if len(found) == limit else None
        add_next_link(request, response, next_)
        return Page(items=[_shown(template) for template in found], next=next_)

    @router.get("/{template_id}")
    async def read_template(template_id: TemplateId, principal: user) -> TemplateView:
        """One, with the segmenter's verdict on each of its texts."""
        return _shown(await own(principal, template_id))

    @router.patch("/{template_id}")
    async def change_template(template_id: TemplateId, given: TemplatePatch, principal: user) -> TemplateView:
        """Campaigns that were started keep the text that they have."""
        template = await own(principal, template_id)
        fields = given.model_dump(exclude_unset=True)
        language = fields.get("language", template.language)
        contents = _contents(fields.get("content"), fields.get("contents"), language, template.contents)
        changed = replace(
            template,
            name=fields.get("name", template.name),
            contents=contents,
            language=language,
            version=template.version + 1,
            changed_at=clock.now_ms(),
        )
        if not await templates.replace(changed, expected=template.version):
            raise ConflictError("busy", "the template was changed meanwhile: look at it again")
        return _shown(changed)

    @router.delete("/{template_id}", status_code=204)
    async def remove_template(template_id: TemplateId, principal: user) -> None:
        """Campaigns that were started keep its text."""
        template = await own(principal, template_id)
        await templates.remove(principal.account_id, template.id)

    @router.post("/{template_id}:preview")
    async def preview_template(template_id: TemplateId, given: PreviewRequest, principal: user) -> PreviewView:
        """The text as one contact would get it, with its price, or with values. A value that is missing is an error."""
        template = await own(principal, template_id)
        if given.number is not None:
            return await _preview_contact(quoting, pricer, clock, principal, template, given.number)
        return _preview(template, given)

    return router


async def _own(templates: TemplateStore, principal: Principal, template_id: str) -> Template:
    template = await templates.find(principal.account_id, template_id)
    if template is None:
        raise UnknownError("template_unknown", "the account has no such template")
    return template


def _preview(template: Template, given: PreviewRequest) -> PreviewView:
    values = {name.casefold(): value for name, value in given.variables.items()}
    recipient = Recipient(number="", name=values.get("name", ""), language=given.language, attributes=values)
    try:
        return PreviewView.of(Texts(template.contents, template.language).write(recipient))
    except (ValueMissing, ContentInvalid) as error:
        raise InvalidError(error.code, str(error), "variables") from error


async def _preview_contact(
    quoting: Quoting, pricer: Pricer, clock: Clock, principal: Principal, template: Template, number: str
) -> PreviewView:
    """An audience of one is counted: contacts says who that is."""
    now_ms = clock.now_ms()
    numbers = checked_numbers([number], principal.account.country, "number")
    asked = Campaign(
        id="",
        account=principal.account_id,
        name="",
        audience=Audience(numbers=numbers),
        contents=template.contents,
        language=template.language,
        created_at=now_ms,
        changed_at=now_ms,
    )
    quote = await quoting.ready((await quoting.begin(asked, is_campaigns=False)).id, _CONTACT_S)
    if quote is None:
        raise overloaded(2, "The contacts can't be asked just now; try again.")
    counts = quote.counts
    if counts.refused:
        raise InvalidError(next(iter(counts.refused)), "a value is missing, or the text is too long", "number")
    if not counts.samples:
        raise ConflictError("number_suppressed", "this number must not be written to", "number")
    written = Texts({template.language: counts.samples[0].replace("{", "{{").replace("}", "}}")}, template.language)
    to = Recipient(number=numbers[0])
    return PreviewView.priced(written.write(to), to.number, pricer.of(principal.account_id))


def _contents(
    content: str | None, contents: dict[str, str] | None, language: str, known: dict[str, str]
) -> dict[str, str]:
    """What was given, else what is known; `InvalidError` for what cannot be sent."""
    if (content is not None and contents is not None) or not (content or contents or known):
        raise InvalidError("content_not_one", "exactly one of content and contents", "content")
    given = {language: content} if content is not None else contents or known
    check_contents(given, language, "contents")
    return given


def _shown(template: Template) -> TemplateView:
    patterns = {language: parse(text) for language, text in template.contents.items()}
    names: dict[str, Any] = dict.fromkeys(one.name for pattern in patterns.values() for one in pattern.placeholders)
    needed = frozenset[str]().union(*(pattern.needed for pattern in patterns.values()))
    verdicts = {language: explain(pattern.shown()) for language, pattern in patterns.items()}
    return template_view(template, verdicts, list(names), sorted(needed))

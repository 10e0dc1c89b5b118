"""The paths of the API in one place: which service serves what. The front and every router in front of it read it."""

from dataclasses import dataclass

READ = frozenset({"GET", "HEAD"})
WRITE = frozenset({"POST"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A path of whole segments, by default with all that is below it; `methods` None: every method."""

    path: str
    service: str
    methods: frozenset[str] | None = None
    below: bool = True

    def covers(self, path: str) -> bool:
        """Whether `path` is this rule's, whatever the method."""
        return path == self.path or (self.below and path.startswith(self.path + "/"))


# The first rule that fits counts.
RULES: tuple[Rule, ...] = (
    Rule("/ext", "ingest"),
    Rule("/v1/messages", "ingest", WRITE, below=False),
    Rule("/v1/messages/quote", "ingest", WRITE, below=False),
    Rule("/v1/messages", "receipt", READ),
    Rule("/v1/messages", "campaign-scheduler", frozenset({"DELETE"})),
    Rule("/v1/receipts", "receipt"),
    Rule("/v1/callbacks", "receipt"),
    Rule("/v1/stats", "receipt"),
    Rule("/v1/account", "accounts"),
    Rule("/v1/api-keys", "accounts"),
    Rule("/v1/doors", "accounts"),
    Rule("/v1/prices", "accounts"),
    Rule("/v1/ledger", "accounts"),
    Rule("/v1/topups", "accounts"),
    Rule("/test-checkout", "accounts"),
    Rule("/v1/contacts", "contacts"),
    Rule("/v1/groups", "contacts"),
    Rule("/v1/imports", "contacts"),
    Rule("/v1/suppressions", "contacts"),
    Rule("/v1/consents", "contacts"),
    Rule("/v1/templates", "campaign-scheduler"),
    Rule("/v1/campaigns", "campaign-scheduler"),
    Rule("/admin", "accounts"),
    Rule("/operators", "dispatcher"),
    Rule("/simulator", "simulator"),
    Rule("/openapi/ingest.json", "ingest", READ, below=False),
    Rule("/openapi/receipt.json", "receipt", READ, below=False),
    Rule("/openapi/dispatcher.json", "dispatcher", READ, below=False),
    Rule("/openapi/accounts.json", "accounts", READ, below=False),
    Rule("/openapi/contacts.json", "contacts", READ, below=False),
    Rule("/openapi/campaign-scheduler.json", "campaign-scheduler", READ, below=False),
    Rule("/openapi/simulator.json", "simulator", READ, below=False),
)
# Their first segment is matched in any case, as the legacy door always was.
ANY_CASE = ("/ext",)


def head_of(path: str) -> str:
    """What rules are looked up by: the first segment, or the first two under /v1."""
    parts = path.split("/", 3)
    if len(parts) < 3:
        return path.lower() if path.lower() in ANY_CASE else path
    first = parts[1]
    if first == "v1":
        return f"/v1/{parts[2]}"
    lower = "/" + first.lower()
    return lower if lower in ANY_CASE else "/" + first


RULES_BY_HEAD: dict[str, tuple[Rule, ...]] = {
    head: tuple(rule for rule in RULES if head_of(rule.path + "/") == head)
    for head in {head_of(rule.path + "/") for rule in RULES}
}


def service_of(method: str, path: str) -> str | None:
    """Service that serves this, or None: then `allowed_methods` tells why."""
    head = head_of(path)
    for rule in RULES_BY_HEAD.get(head, ()):
        if (rule.methods is None or method in rule.methods) and (head in ANY_CASE or rule.covers(path)):
            return rule.service
    return None


def allowed_methods(path: str) -> frozenset[str]:
    """Methods that this path is served for; empty: it is no path of ours."""
    rules = [rule for rule in RULES_BY_HEAD.get(head_of(path), ()) if rule.covers(path)]
    return frozenset().union(*(rule.methods or frozenset() for rule in rules))

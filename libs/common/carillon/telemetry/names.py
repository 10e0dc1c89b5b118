"""Every span name and attribute name of Carillon. An attribute never holds a number, a text or a secret."""

from typing import Final

# Spans, in the order in which a message meets them.
HTTP_REQUEST: Final = "http.request"
SMPP_SUBMIT_IN: Final = "smpp.submit.in"
MESSAGE_ACCEPT: Final = "message.accept"
MESSAGE_ROUTE: Final = "message.route"
MESSAGE_SUBMIT: Final = "message.submit"
OPERATOR_SUBMIT: Final = "operator.submit"
MESSAGE_SETTLE: Final = "message.settle"
REPORT_RECEIVE: Final = "report.receive"
STATUS_RECORD: Final = "status.record"
CALLBACK_SEND: Final = "callback.send"
CALLBACK_CALL: Final = "callback.call"
MESSAGE_CHARGE: Final = "message.charge"
CAMPAIGN_COUNT: Final = "campaign.count"
SPANS: Final = (
    HTTP_REQUEST,
    SMPP_SUBMIT_IN,
    MESSAGE_ACCEPT,
    MESSAGE_ROUTE,
    MESSAGE_SUBMIT,
    OPERATOR_SUBMIT,
    MESSAGE_SETTLE,
    REPORT_RECEIVE,
    STATUS_RECORD,
    CALLBACK_SEND,
    CALLBACK_CALL,
    MESSAGE_CHARGE,
    CAMPAIGN_COUNT,
)

# Attributes; the dotted ones without `carillon` are OpenTelemetry's own.
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
ERROR_TYPE: Final = "error.type"
BATCH_RECORDS: Final = "carillon.batch.records"
EVENT: Final = "carillon.event"
QUEUE: Final = "carillon.queue"
LANE: Final = "carillon.lane"
OPERATOR: Final = "carillon.operator"
OUTCOME: Final = "carillon.outcome"
MESSAGE_ID: Final = "carillon.message.id"
ACCOUNT: Final = "carillon.account"
ATTRIBUTES: Final = (
    HTTP_METHOD,
    HTTP_ROUTE,
    HTTP_STATUS,
    ERROR_TYPE,
    BATCH_RECORDS,
    EVENT,
    QUEUE,
    LANE,
    OPERATOR,
    OUTCOME,
    MESSAGE_ID,
    ACCOUNT,
)

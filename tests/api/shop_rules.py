"""What the shop's rules ask of requests, and what its refusals mean, where no schema can say it."""

import hashlib
import hmac
import os
from datetime import UTC, datetime

import schemathesis
from schemathesis.core.parameters import ParameterLocation

SECRET = os.environ["SOUK_WEBHOOK_SECRET"].encode()
IMPORT = "/api/admin/import/products"
SIGNATURE = "X-Razorpay-Signature"

# Refusals that no schema speaks of: rules over several fields, of characters that can't be seen, and what
# depends on what the shop holds. Codes of problems, or of their fields.
OF_RULES = {
    "ambiguous",  # 422: fields that exclude each other
    "invalid-length",  # 422: of a reason that a change must have
    "invalid-count",  # 422: a product has a variant, here or at the top
    "invalid-amount",  # 422: nothing is refunded by nothing
    "invalid-type",  # 422: attributes are texts, numbers or truths
    "invalid-character",  # 422: one that controls
    "invalid-name",  # 422: of an attribute or option, with no character that can be seen
    "duplicate-name",  # 422: of two options, which differ by blanks around them
    "invalid-sku",  # 422: with characters that can't be seen, or a separator
    "invalid-id",  # 422: the same
    "out-of-range",  # 422: money has other limits in a price than in a total
    "revision-mismatch",  # 412: `If-Match` names another revision
    "idempotency-key-reused",  # 422: the key came before with another body
    "invalid-email",  # 422: not one that the shop sends to
    "invalid-text",  # 422: a name with characters that can't be seen
    "weak-password",  # 422: one that many have
    "wrong-password",  # 422: not the caller's
    "unknown-sku",  # 422: not for sale
    "unknown-token",  # 422: no cart token of this shop, and none that was mailed
    "unknown-currency",  # 422: three letters, and no currency
    "unknown-country",  # 422: two letters, and no country
    "currency-mismatch",  # 422: sold in another currency
    "duplicate-sku",  # 422: two variants of one product
    "invalid-quantity",  # 422: less than nothing would be left, or more than fits
    "quantity-limit",  # 422: with what the cart holds already
    "total-too-large",  # 422: of all lines together
}
# What only some have to say: who calls, of what, and what is missing.
OF_SOME = {
    ("a guest", "POST /api/orders", "/email", "missing"),
    ("a customer", "DELETE /api/users/me", "/password", "missing-field"),
}
# Parameters whose values only the shop gives out or knows, or of several forms.
OPAQUE = (
    "`cursor`:",
    "`until`:",
    "`from`:",
    "`to`:",
    "`customerId`:",
    "`userId`:",
    "`id`:",
    "`currency`:",
    "`item`:",
    "`stream`:",
    "`minPrice`: at most `maxPrice`",
)


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Values that would only ever be refused, or waited for, are replaced, but for the one under test."""
    if case.meta is None:
        return
    if not case.meta.is_negative_at(ParameterLocation.BODY):
        revalue(case.body)
    tested = tested_headers(case.meta)
    if tested is None:
        return
    headers = {name.lower(): name for name in case.headers or {}}
    for name, value in (
        ("Idempotency-Key", f"st-{case.id}"),
        ("If-Match", None),
        ("X-Min-Position", "42"),
        ("Prefer", "wait=1"),
    ):
        if name.lower() not in headers or name.lower() in tested:
            continue
        if value is not None:
            case.headers[name] = value
        elif case.meta.generation.mode.is_negative or hashlib.sha256(case.id.encode()).digest()[0] % 8:
            del case.headers[name]
        else:
            case.headers[name] = '"0"'
    if SIGNATURE.lower() in headers and SIGNATURE.lower() not in tested:
        kwargs["auth"] = sign


def tested_headers(meta):
    """The headers whose values are wrong on purpose; nothing when that isn't known."""
    data = meta.phase.data
    names = {data.parameter} | {mutation.parameter for mutation in data.mutations}
    names = {name.lower() for name in names if name}
    is_known = names or not meta.is_negative_at(ParameterLocation.HEADER) or meta.generation.mode.is_positive
    return names if is_known else None


def revalue(value):
    if isinstance(value, list):
        for item in value:
            revalue(item)
    elif isinstance(value, dict):
        for field, known in (("currency", "GBP"), ("country", "GB")):
            if isinstance(value.get(field), str):
                value[field] = known
        if isinstance(value.get("createdAt"), str):
            value["createdAt"] = datetime.now(UTC).isoformat()
        for item in value.values():
            revalue(item)


def sign(request):
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    request.headers[SIGNATURE] = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return request


def takes_cart_token(operation):
    return any("cart" in scheme for scheme in operation.definition.raw.get("security", []))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False for what is no failure. A forged cart token is answered with 400 before all else, 405 included."""
    kind = failure.__class__.__name__
    if kind == "AcceptedNegativeData" and case.operation.path == IMPORT:
        # Any text is a body of lines, each of which is refused by itself.
        return case.meta is None or not case.meta.is_negative_at(ParameterLocation.BODY)
    if kind == "IgnoredAuth" and "`400 " in failure.message and takes_cart_token(case.operation):
        return False
    try:
        problem = response.json()
        code, detail, fields = problem["code"], problem["detail"], problem.get("errors", [])
    except (ValueError, KeyError, TypeError):
        return True
    if code == "malformed-body" and case.operation.path == IMPORT:
        # A text that begins as an array does has to end as one.
        return "array" not in detail
    if code == "invalid-parameter" and detail.startswith("`X-Cart-Token`:"):
        return kind != "UnsupportedMethodResponse"
    if kind != "RejectedPositiveData":
        return True
    if code == "invalid-parameter":
        return not detail.startswith(OPAQUE)
    # To JSON Schema 2.0 is an integer.
    fields = [field for field in fields if "floating point" not in field["detail"]]
    who = (os.environ["SOUK_CALLER"], case.operation.label)
    codes = {field["code"] for field in fields if (*who, field["pointer"], field["code"]) not in OF_SOME}
    return not (codes or ({code} - {"validation-failed"})) <= OF_RULES

"""Rules of the shop that no schema can express: values that requests need, and refusals that are correct."""

import hashlib
import hmac
import os
from datetime import UTC, datetime

import schemathesis
from schemathesis.core.parameters import ParameterLocation

SECRET = os.environ["SOUK_WEBHOOK_SECRET"].encode()
IMPORT = "/api/admin/import/products"
SIGNATURE = "X-Razorpay-Signature"

# Codes of problems or field errors that are correct although the request matches the schema: rules about
# several fields, about invisible characters, and about the current data of the shop.
RULE_CODES = {
    "ambiguous",  # 422: two fields that exclude each other
    "invalid-length",  # 422: the reason of a change is empty or too long
    "invalid-count",  # 422: a product has no variant
    "invalid-amount",  # 422: the amount of a refund is zero
    "invalid-type",  # 422: an attribute is not a text, number or boolean
    "invalid-character",  # 422: a control character
    "invalid-name",  # 422: the name of an attribute or option has no visible character
    "duplicate-name",  # 422: two options whose names differ only in blanks around them
    "invalid-sku",  # 422: an invisible character, or a separator
    "invalid-id",  # 422: an invisible character, or a separator
    "out-of-range",  # 422: the limits of a price differ from those of a total
    "revision-mismatch",  # 412: `If-Match` has another revision
    "idempotency-key-reused",  # 422: the key was used with another body
    "invalid-email",  # 422: an address that the shop does not send mail to
    "invalid-text",  # 422: a name with invisible characters
    "weak-password",  # 422: a common password
    "wrong-password",  # 422: not the password of the caller
    "unknown-sku",  # 422: the SKU is not for sale
    "unknown-token",  # 422: not a cart token of this shop, and not a mailed token
    "unknown-currency",  # 422: three letters that are not a currency
    "unknown-country",  # 422: two letters that are not a country
    "currency-mismatch",  # 422: the SKU is sold in another currency
    "duplicate-sku",  # 422: two variants of one product have the same SKU
    "invalid-quantity",  # 422: the stock would be negative or too large
    "quantity-limit",  # 422: together with the units in the cart
    "total-too-large",  # 422: the total of all lines
}
# Field errors that are correct only for some callers: caller, operation, field and code.
CALLER_CODES = {
    ("a guest", "POST /api/orders", "/email", "missing"),
    ("a customer", "DELETE /api/users/me", "/password", "missing-field"),
}
# Beginnings of details about parameters whose valid values are known only to the shop, or have several forms.
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
    "`minPrice`: a price that is not higher than `maxPrice`",
)


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    return {"data": value if isinstance(value, bytes) else str(value).encode()}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces values that would always be refused or cause a long wait. Keeps the value that is under test."""
    if case.meta is None:
        return
    if not case.meta.is_negative_at(ParameterLocation.BODY):
        replace_values(case.body)
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
    """Returns the headers with intentionally wrong values, or None if they are not known."""
    data = meta.phase.data
    names = {data.parameter} | {mutation.parameter for mutation in data.mutations}
    names = {name.lower() for name in names if name}
    is_known = names or not meta.is_negative_at(ParameterLocation.HEADER) or meta.generation.mode.is_positive
    return names if is_known else None


def replace_values(value):
    if isinstance(value, list):
        for item in value:
            replace_values(item)
    elif isinstance(value, dict):
        for field, known in (("currency", "GBP"), ("country", "GB")):
            if isinstance(value.get(field), str):
                value[field] = known
        if isinstance(value.get("createdAt"), str):
            value["createdAt"] = datetime.now(UTC).isoformat()
        for item in value.values():
            replace_values(item)


def sign(request):
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.encode()
    request.headers[SIGNATURE] = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return request


def takes_cart_token(operation):
    return any("cart" in scheme for scheme in operation.definition.raw.get("security", []))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Returns False for a report that is not a failure.

    The shop refuses a forged cart token with 400 before any other check, also before 405.
    """
    kind = failure.__class__.__name__
    if kind == "AcceptedNegativeData" and case.operation.path == IMPORT:
        # Any text is a valid body: its lines are accepted or refused separately.
        return case.meta is None or not case.meta.is_negative_at(ParameterLocation.BODY)
    if kind == "IgnoredAuth" and "`400 " in failure.message and takes_cart_token(case.operation):
        return False
    try:
        problem = response.json()
        code, detail, fields = problem["code"], problem["detail"], problem.get("errors", [])
    except (ValueError, KeyError, TypeError):
        return True
    if code == "malformed-body" and case.operation.path == IMPORT:
        # A text that begins like a JSON array must also end like one.
        return "array" not in detail
    if code == "invalid-parameter" and detail.startswith("`X-Cart-Token`:"):
        return kind != "UnsupportedMethodResponse"
    if kind != "RejectedPositiveData":
        return True
    if code == "invalid-parameter":
        return not detail.startswith(OPAQUE)
    # In JSON Schema, 2.0 is an integer.
    fields = [field for field in fields if "floating point" not in field["detail"]]
    caller = (os.environ["SOUK_CALLER"], case.operation.label)
    codes = {field["code"] for field in fields if (*caller, field["pointer"], field["code"]) not in CALLER_CODES}
    return not (codes or ({code} - {"validation-failed"})) <= RULE_CODES

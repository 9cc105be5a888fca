#!/usr/bin/env python3
"""Records a golden data folder: `tests/golden/record.py BINARY OUTPUT.tar.gz`.

BINARY is the program of the shop (`target/debug/souk`) at an earlier commit. The script runs it on an empty data
folder, places orders of every kind over HTTP, stops it, and packs three things into OUTPUT.tar.gz:

- `data/`: the data folder after a clean stop,
- `backup/`: a backup of its log (`souk log backup`),
- `expected.json`: the responses of the program about its orders, stock, products and people before the stop.

`tests/shop/golden.rs` opens every `tests/golden/*.tar.gz` with the current program and compares its responses with
`expected.json`. When the format of the log or of another file changes, record one more archive and name it by the
date. Never replace an old one.

Some orders must wait for payment as long as the archive is used, but the longest payment timeout is thirty days. So
these orders are placed in one run of the program whose clock is `AHEAD_S` ahead. A small library moves the clock: a C
compiler (`cc`) builds it, and `LD_PRELOAD` loads it. All other runs use the real clock.

All people, addresses and secrets are invented.
"""

import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

# A hundred years.
AHEAD_S = 36_525 * 86_400
PAYMENT_TIMEOUT_S_MAX = 30 * 86_400
# The timeout of the run in which orders time out. The last order is still open at the stop.
PAYMENT_TIMEOUT_S_MIN = 10
WAIT_S_MAX = 30
WEBHOOK_SECRET = "golden-webhook-secret"
PASSWORD = "correct horse battery"

CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += AHEAD_S;
    return result;
}
"""


class Program:
    """The program on one data folder: runs commands, and a server."""

    def __init__(self, binary, folder, **variables):
        self.binary, self.folder = binary, folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOUK_")}
        environment |= {"SOUK_LIMITS": "off", "SOUK_WEBHOOK_SECRET": WEBHOOK_SECRET, "SOUK_ADMIN_PASSWORD": PASSWORD}
        self.environment = environment | variables

    def command(self, *arguments):
        """Runs a command, and returns the JSON lines that it prints."""
        arguments = [self.binary, *arguments, "--json", "--data", self.folder]
        output = subprocess.run(arguments, env=self.environment, stdout=subprocess.PIPE, check=True, text=True)
        return [json.loads(line) for line in output.stdout.splitlines()]

    def __enter__(self):
        arguments = [self.binary, "serve", "--listen", "127.0.0.1:0", "--empty", "--json", "--data", self.folder]
        self.server = subprocess.Popen(arguments, env=self.environment, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self.server.stdout.readline())["listening"]
        self.admin = self.command("token", "--role", "admin", "--subject", "ops")[0]["token"]
        self.until("/health/ready", lambda answer: True)
        return self

    def __exit__(self, failure, *_):
        self.server.send_signal(signal.SIGTERM)
        ended = self.server.wait(WAIT_S_MAX)
        assert failure or ended == 0, f"the server ended with {ended}"

    def send(self, method, path, body=None, **headers):
        """Sends a request, as an admin unless `headers` has another identity. Returns status, headers and body."""
        if not {"authorization", "x_cart_token", "anonymous"} & headers.keys():
            headers["authorization"] = f"Bearer {self.admin}"
        headers.pop("anonymous", None)
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"x-api-version": "v1"}
        if body is not None and not isinstance(body, bytes):
            body, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, read(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, read(error)

    def do(self, method, path, body=None, **headers):
        """Sends a request that must be accepted, and returns its body."""
        status, _, answer = self.send(method, path, body, **headers)
        assert status < 300, f"{method} {path}: {status} {answer}"
        return answer

    def head(self):
        """Returns the position of the last event in the log."""
        return self.do("GET", "/api/admin/projections")["head"]

    def get(self, path, **headers):
        """Reads a resource when the read models have reached the head of the log."""
        return self.do("GET", path, x_min_position=self.head(), **headers)

    def until(self, path, is_so, **headers):
        """Reads a resource again and again until the condition is true."""
        deadline = time.monotonic() + WAIT_S_MAX
        while True:
            status, _, answer = self.send("GET", path, **headers)
            if status == 200 and is_so(answer):
                return answer
            assert time.monotonic() < deadline, f"{path} stays {status} {answer}"
            time.sleep(0.05)

    def until_quiet(self):
        """Waits until nothing has been appended for a second."""
        head, since = self.head(), time.monotonic()
        while time.monotonic() < since + 1:
            time.sleep(0.1)
            if self.head() != head:
                head, since = self.head(), time.monotonic()

    def items(self, path):
        """Reads all pages of a list."""
        items, cursor = [], ""
        while cursor is not None:
            page = self.get(f"{path}?limit=100{cursor and '&cursor=' + cursor}")
            items += page["items"]
            cursor = page["nextCursor"]
        return items


def read(answer):
    """Returns the body of a response, parsed if it is JSON."""
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers.get("content-type", "") else text


def pence(amount):
    return {"amount": amount, "currency": "GBP"}


def address(name):
    return {"name": name, "line1": f"1 {name} Lane", "city": "Nether Wallop", "postalCode": "QX7 9ZZ", "country": "GB"}


def line(sku, quantity=1):
    return {"sku": sku, "quantity": quantity}


class Orders:
    """The recorded orders. The test finds each order by its name."""

    def __init__(self):
        self.ids = {}

    def place(self, shop, name, status, token=None, lines=None, fields=(), **headers):
        """Places an order, and waits until it has the status."""
        body = {"lines": [line("LAMP")] if lines is None else lines} | dict(fields)
        if body.get("cart"):
            del body["lines"]
        if token:
            body["payment"] = {"token": token}
        placed = shop.do("POST", "/api/orders", body, **headers)
        assert placed["id"] not in self.ids.values(), name
        self.ids[name] = placed["id"]
        return self.until(shop, name, status)

    def until(self, shop, name, status):
        return shop.until(f"/api/orders/{self.ids[name]}", lambda order: order["status"] == status)

    def until_accepted(self, shop, name):
        """Waits until the provider has accepted the order's payment. Returns the provider's id of the payment."""
        order = shop.until(f"/api/orders/{self.ids[name]}", lambda order: order["payment"] is not None)
        path = f"/api/payments/{order['payment']['id']}"
        return shop.until(path, lambda payment: payment["providerPaymentId"] is not None)["providerPaymentId"]

    def send_action(self, shop, name, action, body=None, **headers):
        """Sends an action for an order, for example `ship`."""
        return shop.do("POST", f"/api/orders/{self.ids[name]}/{action}", body, **headers)


class Person:
    """A customer with an account."""

    def __init__(self, shop, name):
        self.name, self.email = name, f"{name.lower()}@example.org"
        body = {"email": self.email, "password": PASSWORD, "name": name}
        signed_up = shop.do("POST", "/api/auth/signup", body, anonymous=True)
        self.id, self.headers = signed_up["id"], {"authorization": f"Bearer {signed_up['accessToken']}"}

    def sign_in(self, shop):
        body = {"email": self.email, "password": PASSWORD}
        signed_in = shop.do("POST", "/api/auth/login", body, anonymous=True)
        self.headers = {"authorization": f"Bearer {signed_in['accessToken']}"}

    def verify(self, shop):
        """Verifies the e-mail address by the token in the newest mail."""
        mails = sorted(shop.folder.glob("mail/*/*.eml"), key=lambda path: path.stat().st_mtime_ns)
        mails = [text for text in (path.read_text() for path in mails) if self.email in text]
        token = next(text[4:] for text in mails[-1].splitlines() if text.startswith("    "))
        shop.do("POST", "/api/auth/email/verify", {"token": token}, **self.headers)


def guest_cart(shop, *items):
    """Puts these items into a guest's cart, and returns the header with the cart token."""
    _, headers, _ = shop.send("POST", "/api/cart/items", items[0], anonymous=True)
    cart = {"x_cart_token": headers["x-cart-token"]}
    for item in items[1:]:
        shop.do("POST", "/api/cart/items", item, **cart)
    return cart


def open_the_shop(shop):
    """Creates products, stock and a customer. Returns the withdrawn product and the customer."""
    stock = {"LAMP": 100, "MUG": 50, "CANDLE": 10, "SCARCE": 1, "RUG-S": 5, "RUG-L": 5, "OLD": 3, "MOVED": 4}
    for sku in ["LAMP", "MUG", "CANDLE", "SCARCE", "OLD"]:
        product = {"name": sku.title(), "sku": sku, "price": pence(250), "category": "home"}
        made = shop.do("POST", "/api/products", product)
    # The last of them is withdrawn.
    shop.do("DELETE", f"/api/products/{made['id']}")
    withdrawn = made["id"]
    variants = [{"sku": sku, "options": {"size": sku[-1]}, "price": pence(9_900)} for sku in ["RUG-S", "RUG-L"]]
    moved = {"sku": "MOVED", "price": pence(700)}
    rug = {"name": "Rug", "attributes": {"wool": True, "knots": 12.5, "colour": "red"}, "variants": [*variants, moved]}
    # A SKU moves from one product to another.
    made = shop.do("POST", "/api/products", rug)
    shop.do("PUT", f"/api/products/{made['id']}", rug | {"description": "Of wool.", "variants": variants})
    shop.do("POST", "/api/products", {"name": "Moved", **moved})
    for sku, units in stock.items():
        shop.do("POST", "/api/inventory/stock", {"sku": sku, "onHand": units})
    shop.do("POST", "/api/inventory/stock", {"sku": "MUG", "change": -2, "reason": "broken"})
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for n in range(8):
            product = {"name": f"Imported {n}", "sku": f"IMPORTED-{n}", "price": pence(100 + n), "active": n % 4 != 0}
            file.write(json.dumps(product) + "\n")
        file.flush()
        shop.command("import", "products", file.name)
    return withdrawn, Person(shop, "Ada")


def place_open_orders(shop, orders, ada):
    """Places orders that wait for a payment, for a webhook, or for the answer of the provider."""
    for name in ["waits-to-be-paid", "waits-to-be-cancelled", "waits-for-ever"]:
        orders.place(shop, name, "PAYMENT_PENDING", lines=[line("LAMP", 2), line("MUG")])
    orders.place(shop, "waits-for-webhook", "PAYMENT_PENDING", "tok_webhook")
    orders.place(shop, "provider-is-silent", "PAYMENT_PENDING", "tok_silent")
    of_ada = {"customerId": ada.id, "shippingAddress": address("Ada")}
    orders.place(shop, "customer-waits-to-pay", "PAYMENT_PENDING", fields=of_ada)
    cart = guest_cart(shop, line("LAMP"), line("RUG-S"))
    of_guest = {"cart": True, "email": "gus@example.org", "shippingAddress": address("Gus")}
    placed = shop.do("POST", "/api/orders", of_guest, **cart)
    orders.ids["guest-waits-to-pay"] = placed["id"]
    orders.until(shop, "guest-waits-to-pay", "PAYMENT_PENDING")
    orders.until_accepted(shop, "waits-for-webhook")


def place_paid_orders(shop, orders):
    """Places paid orders of every kind, and ships, returns or refunds them."""
    for name in ["confirmed", "shipped", "delivered", "partly-returned", "returned", "partly-refunded"]:
        orders.place(shop, name, "CONFIRMED", "tok_ok", [line("LAMP", 2), line("MUG")])
    orders.place(shop, "paid-slowly", "CONFIRMED", "tok_slow_100")
    orders.place(shop, "paid-after-failures", "CONFIRMED", "tok_flaky_2")
    cheaper = line("LAMP") | {"unitPrice": pence(199)}
    orders.place(shop, "at-two-prices", "CONFIRMED", "tok_ok", [cheaper, line("LAMP")])
    for name in ["shipped", "delivered", "partly-returned", "returned"]:
        orders.send_action(shop, name, "ship", {"carrier": "post", "tracking": "GB123"})
    for name in ["delivered", "partly-returned", "returned"]:
        orders.send_action(shop, name, "deliver")
    orders.send_action(shop, "partly-returned", "return", {"lines": [line("LAMP")]})
    orders.send_action(shop, "returned", "return", {"lines": [line("LAMP"), line("MUG")]})
    orders.send_action(shop, "returned", "return", {"lines": [line("LAMP")]})
    payment = shop.get(f"/api/orders/{orders.ids['partly-refunded']}")["payment"]["id"]
    shop.do("POST", f"/api/payments/{payment}/refunds", {"amount": pence(50), "reason": "scratched"})

    orders.place(shop, "paid-outside", "PAYMENT_PENDING")
    orders.send_action(shop, "paid-outside", "confirm")
    orders.place(shop, "paid-later", "PAYMENT_PENDING")
    intent = {"orderId": orders.ids["paid-later"], "token": "tok_ok"}
    shop.do("POST", "/api/payments/intents", intent)
    orders.place(shop, "paid-by-webhook", "PAYMENT_PENDING", "tok_webhook")
    tell(shop, "evt_1", orders.until_accepted(shop, "paid-by-webhook"))
    tell(shop, "evt_of_an_unknown_payment", "pay_unknown")
    for name in ["paid-outside", "paid-later", "paid-by-webhook"]:
        orders.until(shop, name, "CONFIRMED")

    # Reservations by an admin: one is confirmed, one expires.
    for order, lasts_s in [("till-1", 600), ("till-2", 1)]:
        shop.do("POST", "/api/inventory/reserve", line("CANDLE") | {"orderId": order, "expiresInSeconds": lasts_s})
    shop.do("POST", "/api/inventory/confirm", {"sku": "CANDLE", "orderId": "till-1"})
    shop.until("/api/inventory/stock/CANDLE", lambda stock: stock["reserved"] == 0)
    # A keyed write that changes nothing, and a repeat of it.
    for _ in range(2):
        shop.do("POST", "/api/inventory/stock", {"sku": "SCARCE", "onHand": 1}, idempotency_key="count")


def tell(shop, event, payment):
    """Sends the webhook that authorizes a payment."""
    body = {"id": event, "type": "payment.authorized", "providerPaymentId": payment}
    body = json.dumps(body | {"createdAt": datetime.now(UTC).isoformat()}).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x_razorpay_signature": signature, "content_type": "application/json", "anonymous": True}
    shop.do("POST", "/api/payments/webhook", body, **headers)


def place_failed_orders(shop, orders):
    """Places orders that are cancelled or time out."""
    orders.place(shop, "declined", "CANCELLED", "tok_decline")
    orders.place(shop, "out-of-stock", "CANCELLED", "tok_ok", [line("SCARCE", 2), line("LAMP")])
    orders.place(shop, "cancelled-while-asked", "PAYMENT_PENDING", "tok_silent")
    orders.place(shop, "cancelled-while-paid", "PAYMENT_PENDING", "tok_slow_1500")
    orders.place(shop, "cancelled-by-shop", "CONFIRMED", "tok_ok")
    for name in ["cancelled-while-asked", "cancelled-while-paid", "cancelled-by-shop"]:
        orders.send_action(shop, name, "cancel", {"reason": "no longer sold"})
        orders.until(shop, name, "CANCELLED")
    # The provider authorizes an abandoned payment later, and the shop voids it.
    payment = shop.get(f"/api/orders/{orders.ids['cancelled-while-paid']}")["payment"]["id"]
    stream = f"/api/admin/streams/payment-{payment}"
    shop.until(stream, lambda stream: any(event["type"] == "payment.voided" for event in stream["items"]))


def people(shop, orders, ada):
    """Creates customers and guests with orders and carts, and erases two of them. Returns the expected people."""
    ada.sign_in(shop)
    shop.do("PUT", "/api/users/me", {"name": "Ada", "phone": "+44 1632 960 961"}, **ada.headers)
    book = "/api/users/me/addresses"
    entries = [shop.do("POST", book, address(name), **ada.headers) for name in ["Ada", "Work", "Aunt"]]
    shop.do("PUT", f"{book}/{entries[1]['id']}", address("Office") | {"label": "work"}, **ada.headers)
    shop.do("PUT", f"{book}/{entries[1]['id']}/default", **ada.headers)
    shop.do("DELETE", f"{book}/{entries[2]['id']}", **ada.headers)
    preferences = {"language": "de", "marketing": True, "notifications": {"email": False}}
    shop.do("PUT", "/api/users/me/preferences", preferences, **ada.headers)
    orders.place(shop, "cancelled-before-payment", "PAYMENT_PENDING", **ada.headers)
    fields = {"shippingAddress": address("Ada")}
    orders.place(shop, "cancelled-by-customer", "CONFIRMED", "tok_ok", fields=fields, **ada.headers)
    for name in ["cancelled-before-payment", "cancelled-by-customer"]:
        orders.send_action(shop, name, "cancel", {"reason": "changed my mind"}, **ada.headers)
        orders.until(shop, name, "CANCELLED")
    orders.place(shop, "sent-elsewhere", "CONFIRMED", "tok_ok", fields=fields, **ada.headers)
    shop.do("PUT", f"/api/orders/{orders.ids['sent-elsewhere']}/shipping-address", address("Office"))

    # A guest's cart becomes the customer's and is ordered. A second click finds the same order.
    cart = guest_cart(shop, line("LAMP", 3), line("MUG"))
    shop.do("POST", "/api/cart/items", line("LAMP"), **ada.headers)
    shop.do("POST", "/api/cart/merge", {"cartToken": cart["x_cart_token"]}, **ada.headers)
    shop.do("PUT", "/api/cart/items/LAMP", {"quantity": 2}, **ada.headers)
    of_cart = {"cart": True, "payment": {"token": "tok_ok"}}
    orders.place(shop, "from-customers-cart", "CONFIRMED", fields=of_cart, **ada.headers)
    again = shop.do("POST", "/api/orders", of_cart, idempotency_key="second-click", **ada.headers)
    assert again["id"] == orders.ids["from-customers-cart"], again
    shop.do("POST", "/api/cart/items", line("RUG-S"), **ada.headers)
    shop.do("DELETE", "/api/cart", **ada.headers)
    for item in [line("MUG", 2), line("LAMP"), line("RUG-L")]:
        shop.do("POST", "/api/cart/items", item, **ada.headers)
    shop.do("DELETE", "/api/cart/items/RUG-L", **ada.headers)

    # One guest places an order, a second guest becomes a customer, and a third guest is erased.
    for name in ["Gus", "Ben", "Eve"]:
        cart = guest_cart(shop, line("LAMP"), line("MUG", 2))
        email = f"{name.lower()}@example.org"
        fields = of_cart | {"email": email, "shippingAddress": address(name)}
        placed = shop.do("POST", "/api/orders", fields, **cart)
        orders.ids[f"of-guest-{name.lower()}"] = placed["id"]
        order = orders.until(shop, f"of-guest-{name.lower()}", "CONFIRMED")
    lookup = {"code": order["code"], "email": email}
    shop.do("POST", "/api/orders/lookup/erase", lookup, anonymous=True)
    shop.until(f"/api/orders/{order['id']}", lambda order: order["addressErased"])
    ben = Person(shop, "Ben")
    ben.verify(shop)
    path = f"/api/orders/{orders.ids['of-guest-ben']}"
    shop.until(path, lambda order: order["customerId"] == ben.id)

    # A customer is erased, and an admin has an account.
    shop.command("admin", "create", "--email", "root@example.org")
    zoe = Person(shop, "Zoe")
    shop.do("POST", "/api/users/me/addresses", address("Zoe"), **zoe.headers)
    fields = {"shippingAddress": address("Zoe")}
    orders.place(shop, "of-erased-customer", "CONFIRMED", "tok_ok", fields=fields, **zoe.headers)
    shop.do("POST", "/api/cart/items", line("MUG"), **zoe.headers)
    shop.do("DELETE", "/api/users/me", {"password": PASSWORD}, **zoe.headers)
    shop.until(f"/api/orders/{orders.ids['of-erased-customer']}", lambda order: order["addressErased"])

    guest = guest_cart(shop, line("MUG", 4), line("RUG-S"))
    return {
        "password": PASSWORD,
        "admin": {"email": "root@example.org"},
        "customer": {
            "id": ada.id,
            "email": ada.email,
            "name": "Ada",
            "addresses": [entry["line1"] for entry in shop.get(book, **ada.headers)["items"]],
            "cart": facts_of_cart(shop.get("/api/cart", **ada.headers)),
        },
        "erased": {"id": zoe.id, "email": zoe.email},
        "guest": {
            "email": "gus@example.org",
            "cartToken": guest["x_cart_token"],
            "cart": facts_of_cart(shop.get("/api/cart", **guest)),
        },
    }


def facts_of_order(order):
    """Returns the fields of an order that never change."""
    payment, reason, ships_to = order["payment"], order["reason"], order["shippingAddress"]
    return {
        "id": order["id"],
        "code": order["code"],
        "status": order["status"],
        "total": order["total"],
        "lines": [[line["sku"], line["quantity"], line["reservation"]] for line in order["lines"]],
        "paymentStatus": payment and payment["status"],
        "customerId": order["customerId"],
        "reason": reason and reason["code"],
        "shipsTo": ships_to and ships_to["line1"],
        "addressErased": order["addressErased"],
    }


def facts_of_cart(cart):
    return [[line["sku"], line["quantity"], line["unitPrice"]["amount"]] for line in cart["lines"]]


def facts_of_stock(stock):
    return {name: stock[name] for name in ["sku", "onHand", "reserved", "available"]}


def facts_of_product(product):
    variants = [[variant["sku"], variant["price"]["amount"]] for variant in product["variants"]]
    return {"id": product["id"], "name": product["name"], "active": product["active"], "variants": variants}


def facts(shop, orders):
    """Returns all responses about orders, stock and products."""
    shop.until_quiet()
    head = shop.head()
    listed = {order["id"]: facts_of_order(order) for order in shop.items("/api/orders")}
    assert listed.keys() == set(orders.ids.values()), "an order has no name"
    products = [facts_of_product(product) for product in shop.items("/api/products")]
    assert shop.head() == head, "something was appended meanwhile"
    return {
        "orders": {name: listed[order] for name, order in orders.ids.items()},
        "stock": [facts_of_stock(stock) for stock in shop.items("/api/inventory/stock")],
        "products": products,
        "sales": shop.get("/api/orders/admin/sales")["total"],
    }


def record(binary, folder, clock):
    """Fills the data folder, and returns the expected responses."""
    orders = Orders()
    with Program(binary, folder) as shop:
        withdrawn, ada = open_the_shop(shop)
    years_later = {"LD_PRELOAD": str(clock), "SOUK_PAYMENT_TIMEOUT_S": str(PAYMENT_TIMEOUT_S_MAX)}
    with Program(binary, folder, **years_later) as shop:
        place_open_orders(shop, orders, ada)
    Program(binary, folder).command("keys", "rotate")
    with Program(binary, folder) as shop:
        place_paid_orders(shop, orders)
        place_failed_orders(shop, orders)
        of_people = people(shop, orders, ada)
    with Program(binary, folder, SOUK_PAYMENT_TIMEOUT_S=str(PAYMENT_TIMEOUT_S_MIN)) as shop:
        cart = guest_cart(shop, line("RUG-S", 2))
        timed_out = shop.do("POST", "/api/orders", {"cart": True, "email": "ted@example.org"}, **cart)
        orders.ids["timed-out"] = timed_out["id"]
        orders.until(shop, "timed-out", "TIMED_OUT")
        expected = facts(shop, orders)
        # This order times out while the shop is stopped, so the next program ends it. It is not in the expected orders.
        overdue = Orders().place(shop, "overdue", "PAYMENT_PENDING", lines=[line("CANDLE", 3)])
    return expected | {"people": of_people, "withdrawn": withdrawn, "overdue": overdue["id"]}


def main(binary, output):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        source, clock = work / "clock.c", work / "clock.so"
        source.write_text(CLOCK)
        subprocess.run(["cc", "-shared", "-fPIC", f"-DAHEAD_S={AHEAD_S}L", "-o", clock, source], check=True)
        data, copy, backup = work / "data", work / "copy", work / "backup"
        expected = record(binary, data, clock)
        # Commands run on a copy, so that the folder stays as the server left it.
        shutil.copytree(data, copy)
        program = Program(binary, copy)
        expected["webhookSecret"] = WEBHOOK_SECRET
        expected["log"] = program.command("log", "verify")[0] | {"head": program.command("log", "stats")[0]["head"]}
        program.command("log", "backup", backup)
        (work / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
        with tarfile.open(output, "w:gz") as archive:
            for name in ["expected.json", "data", "backup"]:
                archive.add(work / name, name)
        print(f"{output}: {len(expected['orders'])} orders, log up to {expected['log']['head']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).absolute(), sys.argv[2])

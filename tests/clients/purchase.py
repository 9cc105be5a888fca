"""A guest places an order with the client that openapi-python-client generates.

Run as: python purchase.py URL SKU
"""

import sys
import uuid
from typing import TypeVar, assert_never, cast

from souk_client import AuthenticatedClient, Client
from souk_client.api.cart import get_api_cart, post_api_cart_items
from souk_client.api.orders import get_api_orders_id, post_api_orders
from souk_client.api.products import get_api_products
from souk_client.models import (
    Cart,
    GetApiProductsSort,
    ItemRequest,
    ListOfProductResponse,
    Order,
    OrderPayment,
    OrderRequest,
    OrderStatus,
    OrderWritten,
    PaymentRequest,
    PaymentStatus,
    Problem,
    Product,
    Reservation,
    Written,
)

T = TypeVar("T")

QUANTITY = 2
VERSION = "v1"


def checked(kind: type[T], value: object) -> T:
    """Returns the value, and checks that it has this type."""
    assert isinstance(value, kind), f"no {kind.__name__}: {value}"
    return value


def is_open(status: OrderStatus) -> bool:
    """Returns true if the order is not yet confirmed. The type check fails if a status is missing here."""
    match status:
        case OrderStatus.PLACED | OrderStatus.PAYMENT_PENDING:
            return True
        case OrderStatus.CONFIRMED | OrderStatus.SHIPPED | OrderStatus.DELIVERED:
            return False
        case OrderStatus.RETURNED | OrderStatus.CANCELLED | OrderStatus.TIMED_OUT:
            return False
        case other:
            assert_never(other)


def buy(url: str, sku: str) -> None:
    """Finds the product, adds it to a cart, orders the cart and reads the order."""
    # The generated client requires a token for each operation that accepts one, even if it is optional.
    anonymous = cast(AuthenticatedClient, Client(base_url=url))

    listed = get_api_products.sync(
        client=anonymous, x_api_version=VERSION, q=sku, sort=GetApiProductsSort.PRICE, in_stock=True
    )
    product: Product = checked(ListOfProductResponse, listed).items[0]
    variant = product.variants[0]
    price: int = variant.price.amount
    assert price > 0

    added = post_api_cart_items.sync_detailed(
        client=anonymous, x_api_version=VERSION, body=ItemRequest(sku=variant.sku, quantity=QUANTITY)
    )
    in_cart = added.headers["X-Position"]
    assert in_cart == checked(Written, added.parsed).position
    guest = AuthenticatedClient(
        base_url=url, token=added.headers["X-Cart-Token"], prefix="", auth_header_name="X-Cart-Token"
    )

    shown = get_api_cart.sync_detailed(client=guest, x_api_version=VERSION, x_min_position=in_cart)
    cart = checked(Cart, shown.parsed)
    assert cart.total.amount == price * QUANTITY
    assert shown.headers["ETag"] == f'"{cart.revision}"'

    request = OrderRequest(cart=True, payment=PaymentRequest(token="tok_ok"), email="ada@example.org")
    placed = post_api_orders.sync_detailed(
        client=guest,
        x_api_version=VERSION,
        prefer="wait=10",
        idempotency_key=str(uuid.uuid4()),
        body=request,
    )
    written = checked(OrderWritten, placed.parsed)
    assert placed.status_code == 201, placed
    assert placed.headers["Location"] == f"/api/orders/{written.id}"

    read = get_api_orders_id.sync(
        uuid.UUID(written.id), client=guest, x_api_version=VERSION, x_min_position=written.position
    )
    order = checked(Order, read)
    assert not is_open(order.status)
    assert order.status is OrderStatus.CONFIRMED
    assert checked(OrderPayment, order.payment).status is PaymentStatus.CAPTURED
    assert order.lines[0].reservation is Reservation.CONFIRMED
    assert order.total == cart.total

    refused = post_api_orders.sync_detailed(client=guest, x_api_version=VERSION, body=OrderRequest(cart=True))
    assert checked(Problem, refused.parsed).status == refused.status_code
    print(f"bought {QUANTITY} of {variant.sku} for {order.total.amount} as order {order.code}")


if __name__ == "__main__":
    buy(sys.argv[1], sys.argv[2])

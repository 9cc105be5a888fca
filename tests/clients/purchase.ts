// A guest places an order with the client that openapi-typescript generates.
// Run as: node purchase.ts URL SKU

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "./api.ts";

type Order = components["schemas"]["OrderResponse"];
type Product = components["schemas"]["ProductResponse"];

const QUANTITY = 2;
const VERSION = { "X-API-Version": "v1" } as const;

/** Returns the value, and checks that it is present. */
function required<T>(value: T | null | undefined, name: string): T {
  assert.ok(value !== null && value !== undefined, `no ${name}`);
  return value;
}

/** Returns true if the order is not yet confirmed. Does not compile if a status is missing here. */
function isOpen(status: Order["status"]): boolean {
  switch (status) {
    case "PLACED":
    case "PAYMENT_PENDING":
      return true;
    case "CONFIRMED":
    case "SHIPPED":
    case "DELIVERED":
    case "RETURNED":
    case "CANCELLED":
    case "TIMED_OUT":
      return false;
  }
}

const [url, sku] = process.argv.slice(2);
const baseUrl = required(url, "URL");
const client = createClient<paths>({ baseUrl });

const products = await client.GET("/api/products", {
  params: { header: VERSION, query: { q: required(sku, "SKU"), sort: "price", inStock: true } },
});
const product: Product = required(required(products.data, "products").items[0], "product");
const variant = required(product.variants[0], "variant");
const price: number = variant.price.amount;
assert.ok(price > 0);

const added = await client.POST("/api/cart/items", {
  params: { header: VERSION },
  body: { sku: variant.sku, quantity: QUANTITY },
});
const token = required(added.response.headers.get("X-Cart-Token"), "X-Cart-Token");
const inCart = required(added.response.headers.get("X-Position"), "X-Position");
assert.equal(inCart, required(added.data, "response").position);
client.use({
  onRequest({ request }) {
    request.headers.set("X-Cart-Token", token);
  },
});

const cart = await client.GET("/api/cart", { params: { header: { ...VERSION, "X-Min-Position": inCart } } });
const total: number = required(cart.data, "cart").total.amount;
assert.equal(total, price * QUANTITY);
assert.equal(cart.response.headers.get("ETag"), `"${cart.data?.revision}"`);

const placed = await client.POST("/api/orders", {
  params: { header: { ...VERSION, Prefer: "wait=10", "Idempotency-Key": crypto.randomUUID() } },
  body: { cart: true, payment: { token: "tok_ok" }, email: "ada@example.org" },
});
assert.equal(placed.response.status, 201, JSON.stringify(placed.error));
const { id, position } = required(placed.data, "order");
assert.equal(placed.response.headers.get("Location"), `/api/orders/${id}`);

const read = await client.GET("/api/orders/{id}", {
  params: { header: { ...VERSION, "X-Min-Position": position }, path: { id } },
});
const order: Order = required(read.data, "order");
assert.equal(isOpen(order.status), false);
assert.equal(order.status, "CONFIRMED");
assert.equal(order.payment?.status, "CAPTURED");
assert.equal(order.lines[0]?.reservation, "CONFIRMED");
assert.deepEqual(order.total, { amount: total, currency: variant.price.currency });
// @ts-expect-error: a status that does not exist does not compile.
assert.notEqual(order.status satisfies "CONFIRMD", "CONFIRMD");

const refused = await client.POST("/api/orders", { params: { header: VERSION }, body: { cart: true } });
assert.equal(required(refused.error, "problem").status, refused.response.status);
console.log(`bought ${QUANTITY} of ${variant.sku} for ${total} as order ${order.code}`);

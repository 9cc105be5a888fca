-- Owner of an order: its customer, or the cart of a guest.
SELECT customer_id, CASE WHEN customer_id IS NULL THEN json_extract(CAST(doc AS TEXT), '$.cart') END
FROM orders
WHERE key = $1

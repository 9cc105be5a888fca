-- The orders with a code: mostly one.
WITH page AS (
    SELECT key, doc, payment_id
    FROM orders
    WHERE code = $1
)

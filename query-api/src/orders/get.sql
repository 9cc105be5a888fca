-- One order.
WITH page AS (
    SELECT key, doc, payment_id
    FROM orders
    WHERE key = $1
)

-- A page of the orders of a customer, newest first.
WITH page AS (
    SELECT key, doc, payment_id, placed_at
    FROM orders
    WHERE customer_id = $5
      AND ($6 IS NULL OR status = $6)
      AND (placed_at, key) < ($1, $2)
      AND placed_at >= $4
    ORDER BY placed_at DESC, key DESC
    LIMIT $3
)

-- Candidates for a page of a customer's orders, newest first.
WITH found AS (
    SELECT key, payment_id, placed_at, length(doc) AS bytes
    FROM orders
    WHERE customer_id = $7
      AND ($8 IS NULL OR status = $8)
      AND (placed_at, key) < ($1, $2)
      AND placed_at >= $4
    ORDER BY placed_at DESC, key DESC
    LIMIT $3
)

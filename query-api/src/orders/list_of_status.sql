-- Candidates for a page of the orders with a status, newest first.
WITH found AS (
    SELECT key, payment_id, placed_at, length(doc) AS bytes
    FROM orders
    WHERE status = $7
      AND (placed_at, key) < ($1, $2)
      AND placed_at >= $4
    ORDER BY placed_at DESC, key DESC
    LIMIT $3
)

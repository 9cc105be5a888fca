-- Candidates for a page of the orders that can't be shipped because their address was erased, newest first.
WITH found AS (
    SELECT key, payment_id, placed_at, length(doc) AS bytes
    FROM orders
    WHERE address_erased = 1
      AND (placed_at, key) < ($1, $2)
      AND placed_at >= $4
    ORDER BY placed_at DESC, key DESC
    LIMIT $3
)

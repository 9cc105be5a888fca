-- A page of the orders that can't be shipped because their address was erased, newest first.
WITH page AS (
    SELECT key, doc, payment_id, placed_at
    FROM orders
    WHERE address_erased = 1
      AND (placed_at, key) < ($1, $2)
      AND placed_at >= $4
    ORDER BY placed_at DESC, key DESC
    LIMIT $3
)

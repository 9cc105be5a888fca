-- The guests' orders with a code: mostly one.
SELECT key
FROM orders
WHERE code = $1
  AND customer_id IS NULL
LIMIT $2

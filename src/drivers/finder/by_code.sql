-- The guests' orders with a code: mostly one.
SELECT key, doc
FROM orders
WHERE code = $1
  AND customer_id IS NULL
LIMIT $2

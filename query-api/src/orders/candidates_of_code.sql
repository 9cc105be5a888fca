-- The guests' orders with a code: mostly one. Whose they are is decided before any line is read.
SELECT key, doc
FROM orders
WHERE code = $1
  AND customer_id IS NULL
LIMIT $2

-- Guest orders with a code: usually one.
SELECT key, doc
FROM orders
WHERE code = $1
  AND customer_id IS NULL
LIMIT $2

-- Guests' orders with a code: usually one. The caller compares their e-mail addresses before any line is
-- read.
SELECT key, doc
FROM orders
WHERE code = $1
  AND customer_id IS NULL
LIMIT $2

SELECT key
FROM orders
WHERE customer_id = $1
  AND key > $2
ORDER BY key
LIMIT $3

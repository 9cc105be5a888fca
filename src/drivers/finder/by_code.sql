-- The guests' orders with a code and an e-mail address: mostly one.
SELECT key
FROM orders
WHERE code = $1
  AND guest_email_hash = $2
LIMIT $3

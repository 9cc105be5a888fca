SELECT key, guest_email_hash
FROM orders
WHERE key > $1 AND guest_email_hash IS NOT NULL
ORDER BY key
LIMIT $2

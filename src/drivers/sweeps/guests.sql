SELECT orders.key, orders.doc, users.key
FROM orders
JOIN users ON users.verified_email_hash = orders.guest_email_hash
WHERE orders.guest_email_hash IS NOT NULL
LIMIT $1

-- Guests' orders and whose they are, where either came about since then: a user who was verified, or an order
-- that was placed. The joins keep their order, so that each part reads what is new and looks the rest up.
SELECT orders.key, orders.doc, users.key
FROM users
CROSS JOIN orders
WHERE users.verified_at >= $1 AND orders.guest_email_hash = users.verified_email_hash
UNION
SELECT orders.key, orders.doc, users.key
FROM orders
CROSS JOIN users
WHERE orders.placed_at >= $1
  AND orders.guest_email_hash IS NOT NULL
  AND users.verified_email_hash = orders.guest_email_hash
LIMIT $2

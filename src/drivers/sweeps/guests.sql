-- An order, and the user whose verified address has this alias.
SELECT orders.doc, users.key
FROM users
CROSS JOIN orders
WHERE users.verified_email_hash = $1 AND orders.key = $2

-- An order, and the user whose address has this alias, proven to be theirs.
SELECT orders.doc, users.key
FROM users
CROSS JOIN orders
WHERE users.proven_email_hash = $1 AND orders.key = $2

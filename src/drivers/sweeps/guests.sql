-- An order, and the user who has proven the e-mail address with this alias.
SELECT orders.doc, users.key
FROM users
CROSS JOIN orders
WHERE users.proven_email_hash = $1 AND orders.key = $2

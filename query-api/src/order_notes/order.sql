-- The order that the notes belong to.
SELECT doc
FROM orders
WHERE key = $1

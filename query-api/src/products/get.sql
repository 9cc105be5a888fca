-- One product by id.
SELECT key, doc
FROM products
WHERE key = $1

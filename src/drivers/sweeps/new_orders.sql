SELECT placed_at, key, doc
FROM orders
WHERE (placed_at, key) > ($1, $2)
ORDER BY placed_at, key
LIMIT $3

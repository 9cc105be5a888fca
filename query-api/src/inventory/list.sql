-- A page of stock, the SKUs that were first counted last before the others.
SELECT key, doc
FROM stock
WHERE (created_at, key) < ($1, $2)
ORDER BY created_at DESC, key DESC
LIMIT $3

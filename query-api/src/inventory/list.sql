-- A page of stock. The SKU that got its first stock entry last comes first.
SELECT key, doc
FROM stock
WHERE (created_at, key) < ($1, $2)
ORDER BY created_at DESC, key DESC
LIMIT $3

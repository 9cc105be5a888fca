-- A page of payments, newest first.
SELECT key, doc
FROM payments
WHERE (requested_at, key) < ($1, $2)
ORDER BY requested_at DESC, key DESC
LIMIT $3

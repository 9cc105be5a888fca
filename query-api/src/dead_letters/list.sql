-- A page of refunds and voids that the provider refused, newest first.
SELECT key, doc
FROM payment_debts
WHERE (failed_at, key) < ($1, $2)
ORDER BY failed_at DESC, key DESC
LIMIT $3

SELECT key, doc
FROM kept_webhooks
WHERE key > $1 AND created_at >= $2
ORDER BY key
LIMIT $3

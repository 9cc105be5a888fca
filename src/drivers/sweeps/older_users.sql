SELECT key, verified_email_hash
FROM users
WHERE key > $1 AND verified_email_hash IS NOT NULL
ORDER BY key
LIMIT $2

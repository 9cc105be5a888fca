SELECT proven_at, proven_email_hash
FROM users
WHERE proven_at > $1
ORDER BY proven_at
LIMIT $2

SELECT verified_at, verified_email_hash
FROM users
WHERE verified_at > $1
ORDER BY verified_at
LIMIT $2

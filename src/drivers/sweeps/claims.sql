SELECT key, owner
FROM open_claims
WHERE since <= $1
ORDER BY since
LIMIT $2

-- A user.
SELECT doc
FROM users
WHERE key = $1

-- One user by id.
SELECT doc
FROM users
WHERE key = $1

SELECT DISTINCT sku
FROM reservations
WHERE expires_at <= $1
LIMIT $2

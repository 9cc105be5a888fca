-- The days on which something was sold, by keys such as `GBP:2026-11-21`.
SELECT key, orders, units, revenue
FROM sales
WHERE key >= $1
  AND key <= $2
ORDER BY key

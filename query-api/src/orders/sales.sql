SELECT key, orders, units, revenue FROM sales WHERE key >= $1 AND key <= $2 ORDER BY key

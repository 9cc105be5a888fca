-- The days on which something was sold or given back, by keys such as `GBP:2026-11-21`. Revenue is what was sold on
-- that day less what was given back on it.
SELECT key, sum(orders), sum(units), sum(revenue)
FROM (
    SELECT key, orders, units, revenue
    FROM sales
    WHERE key >= $1
      AND key <= $2
    UNION ALL
    SELECT key, 0, 0, -given_back
    FROM refunds
    WHERE key >= $1
      AND key <= $2
)
GROUP BY key
ORDER BY key

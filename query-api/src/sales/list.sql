-- Days with sales or refunds, by keys such as `GBP:2026-11-21`. The revenue of a day is the price of the
-- orders that were confirmed on that day, minus the money that was refunded on that day.
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

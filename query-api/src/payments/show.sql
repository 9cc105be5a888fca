SELECT p.key, p.doc FROM payments p
JOIN orders o ON o.key = p.order_id
WHERE p.key = $1 AND ($2 IS NULL OR o.customer_id = $2)

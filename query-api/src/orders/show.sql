SELECT o.key AS id, o.placed_at AS placed_at, o.doc AS doc, l.doc AS line, p.key AS payment, p.status AS payment_status
FROM orders o
LEFT JOIN order_lines l ON l.key > o.key || ':' AND l.key < o.key || ';'
LEFT JOIN payments p ON p.key = o.payment_id
WHERE o.key = $1 AND ($2 IS NULL OR o.customer_id = $2)
ORDER BY l.key

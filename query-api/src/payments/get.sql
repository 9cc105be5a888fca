-- One payment, and its order, which says whose it is.
SELECT payments.doc, orders.doc
FROM payments
LEFT JOIN orders ON orders.key = payments.order_id
WHERE payments.key = $1

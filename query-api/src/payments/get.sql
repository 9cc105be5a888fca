-- One payment with its order, which says to whom it belongs.
SELECT payments.doc, orders.doc
FROM payments
LEFT JOIN orders ON orders.key = payments.order_id
WHERE payments.key = $1

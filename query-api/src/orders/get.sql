-- One order with the status of its payment, and the amount of its failed refunds.
SELECT orders.key, orders.doc, payments.status, payments.owed
FROM orders
LEFT JOIN payments ON payments.key = orders.payment_id
WHERE orders.key = $1

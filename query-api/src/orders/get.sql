-- One order with the status of its payment, the amount of its failed refunds, and its owner: the customer, or
-- the cart of a guest. The cart is null if the document can't be parsed.
SELECT orders.key, orders.doc, payments.status, payments.owed, orders.customer_id,
       CASE WHEN orders.customer_id IS NULL AND json_valid(CAST(orders.doc AS TEXT))
            THEN json_extract(CAST(orders.doc AS TEXT), '$.cart') END AS cart
FROM orders
LEFT JOIN payments ON payments.key = orders.payment_id
WHERE orders.key = $1

-- One payment with the owner of its order: the customer, or the cart of a guest. The cart is null if the
-- document of the order can't be parsed.
SELECT payments.doc, orders.customer_id,
       CASE WHEN orders.customer_id IS NULL AND json_valid(CAST(orders.doc AS TEXT))
            THEN json_extract(CAST(orders.doc AS TEXT), '$.cart') END AS cart
FROM payments
LEFT JOIN orders ON orders.key = payments.order_id
WHERE payments.key = $1

-- Owner of an order: its customer, or the cart of a guest. The cart is null if the document can't be parsed.
SELECT customer_id,
       CASE WHEN customer_id IS NULL AND json_valid(CAST(doc AS TEXT))
            THEN json_extract(CAST(doc AS TEXT), '$.cart') END AS cart
FROM orders
WHERE key = $1

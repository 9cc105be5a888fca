-- One order, if it is the caller's: $2 is true for admins, $3 is a customer and $4 a guest's cart. Nobody else's lines
-- are read, so that the time it takes does not tell how many there are.
WITH page AS (
    SELECT key, doc, payment_id
    FROM orders
    WHERE key = $1
      AND CASE
          WHEN $2 THEN TRUE
          WHEN customer_id IS NOT NULL THEN customer_id = $3
          ELSE json_extract(CAST(doc AS TEXT), '$.cart') = $4
      END
)

-- One order, if the caller is allowed to see it: $2 is true for admins, $3 is the customer and $4 the guest's
-- cart. For other callers no lines are read, so that the response time does not reveal how many lines the
-- order has.
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

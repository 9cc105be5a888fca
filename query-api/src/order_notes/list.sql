-- A page of the notes on one order, oldest first.
SELECT key, doc
FROM order_notes
WHERE order_id = $1
  AND number > $2
ORDER BY number
LIMIT $3

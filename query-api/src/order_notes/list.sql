-- A page of the notes on one order, oldest first. An order without such notes has one row without a note.
SELECT orders.doc, order_notes.key, order_notes.doc
FROM orders
LEFT JOIN order_notes ON order_notes.order_id = orders.key AND order_notes.number > $2
WHERE orders.key = $1
ORDER BY order_notes.number
LIMIT $3

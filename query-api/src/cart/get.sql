-- A cart with its lines in the order in which they were added, each with the current variant and stock of its
-- SKU. The lines of a cart have the keys between `CART:` and `CART;`. An empty cart is one row without a
-- line.
SELECT carts.doc, cart_lines.doc, variants.doc, stock.on_hand - stock.reserved
FROM carts
LEFT JOIN cart_lines ON cart_lines.key > carts.key || ':' AND cart_lines.key < carts.key || ';'
LEFT JOIN variants ON variants.key = cart_lines.sku
LEFT JOIN stock ON stock.key = cart_lines.sku
WHERE carts.key = $1
ORDER BY cart_lines.added

SELECT c.doc AS cart, l.doc AS line, v.doc AS variant, s.on_hand - s.reserved AS available
FROM carts c
LEFT JOIN cart_lines l ON l.key > c.key || ':' AND l.key < c.key || ';'
LEFT JOIN variants v ON v.key = l.sku
LEFT JOIN stock s ON s.key = l.sku
WHERE c.key = $1
ORDER BY l.added

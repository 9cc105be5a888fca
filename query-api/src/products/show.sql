SELECT p.key AS id, p.doc AS doc, v.key AS sku, s.on_hand - s.reserved AS available
FROM products p
LEFT JOIN variants v ON v.product_id = p.key
LEFT JOIN stock s ON s.key = v.key
WHERE p.key = $1 AND (p.active = 1 OR $2)

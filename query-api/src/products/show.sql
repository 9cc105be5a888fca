SELECT p.key AS id, p.doc AS doc, v.key AS sku, s.available AS available
FROM products p
LEFT JOIN variants v ON v.product = p.key
LEFT JOIN stock s ON s.key = v.key
WHERE p.key = $1 AND p.withdrawn = 0 AND (p.active = 1 OR $2)

SELECT v.key AS sku, s.doc AS doc
FROM (SELECT key FROM variants WHERE key = $1 UNION SELECT key FROM stock WHERE key = $1) v
LEFT JOIN stock s ON s.key = v.key

SELECT p.key AS id, p.doc AS doc, p.min_price AS sort, v.key AS sku, s.on_hand - s.reserved AS available
FROM (
    SELECT key, doc, min_price FROM products
    WHERE ($1 IS NULL OR active = $1)
      AND ($2 IS NULL OR category = $2 OR category LIKE $2 || '/%')
      AND ($3 IS NULL OR min_price >= $3)
      AND ($4 IS NULL OR min_price <= $4)
      AND ($5 IS NULL OR instr(search_text, $5) > 0)
      AND ($6 IS NULL OR $6 = EXISTS (
            SELECT 1 FROM variants iv JOIN stock st ON st.key = iv.key
            WHERE iv.product_id = products.key AND st.on_hand > st.reserved))
      AND ($7 IS NULL OR (min_price, key) < ($7, $8))
    ORDER BY min_price DESC, key DESC
    LIMIT $9
) p
LEFT JOIN variants v ON v.product_id = p.key
LEFT JOIN stock s ON s.key = v.key
ORDER BY p.min_price DESC, p.key DESC

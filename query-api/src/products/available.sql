-- The available units of each SKU of the products with the ids in $1. $1 is a JSON object whose names are the
-- ids. A SKU without a stock entry has no row. After a CROSS JOIN, SQLite searches the next table for each
-- row. After a JOIN, it might read the whole table.
SELECT variants.key, stock.on_hand - stock.reserved
FROM json_each($1) AS ids
CROSS JOIN variants
CROSS JOIN stock
WHERE variants.product_id = ids.key
  AND variants.withdrawn = 0
  AND stock.key = variants.key

-- The stock of a SKU, and the product that has it. A SKU of a product may have no stock row.
SELECT
    (SELECT doc FROM stock WHERE key = $1) AS stock,
    (SELECT product_id FROM variants WHERE key = $1) AS product

-- True if the customer has an order.
SELECT EXISTS (SELECT 1 FROM orders WHERE customer_id = $1)

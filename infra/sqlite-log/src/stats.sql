SELECT
    count(*),
    (SELECT count(DISTINCT stream) FROM events),
    coalesce(sum(length(data)), 0),
    coalesce(max(position), 0),
    (SELECT recorded_at_us FROM events ORDER BY position LIMIT 1),
    (SELECT recorded_at_us FROM events ORDER BY position DESC LIMIT 1)
FROM events

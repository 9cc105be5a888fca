-- Counts one request against each key, or against none when one of them refuses.
-- The generic cell rate algorithm: a key holds when it would be even again, in microseconds of Redis' clock.
-- KEYS: who is counted. ARGV: microseconds that a request takes up; how many may come at once.
-- Answers {1, how many more may come at once} or {0, microseconds until one may}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local even, remaining = {}, burst
for i, key in ipairs(KEYS) do
    local next = math.max(tonumber(redis.call('GET', key) or 0), now) + slot
    local allowed_at = next - slot * burst
    if allowed_at > now then
        return {0, allowed_at - now}
    end
    even[i] = next
    remaining = math.min(remaining, math.floor((now - allowed_at) / slot))
end
for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', even[i]), 'PX', math.ceil((even[i] - now) / 1000))
end
return {1, remaining}

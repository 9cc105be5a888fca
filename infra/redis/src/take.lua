-- Counts one request for every key. If one key is over its limit, the request is refused and counted for no key.
--
-- This is the generic cell rate algorithm (GCRA). The value of a key is the time at which it has its full quota
-- again ("theoretical arrival time"), in microseconds of Redis' clock.
--
-- KEYS: the counters.
-- ARGV[1]: interval between requests, in microseconds. ARGV[2]: number of requests allowed at once.
-- Returns {1, number of further requests allowed now} or {0, microseconds until the next request is allowed}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at, remaining = {}, burst
for i, key in ipairs(KEYS) do
    local next = math.max(tonumber(redis.call('GET', key) or 0), now) + slot
    local allowed_at = next - slot * burst
    if allowed_at > now then
        return {0, allowed_at - now}
    end
    full_at[i] = next
    remaining = math.min(remaining, math.floor((now - allowed_at) / slot))
end
for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', full_at[i]), 'PX', math.ceil((full_at[i] - now) / 1000))
end
return {1, remaining}

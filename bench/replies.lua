-- Replies for wrk, each from another phone; at the end, what came of them as one line of JSON (bench.load).
-- Arguments: the first phone, the step from one to the next, and the ends of the request targets, in turn.

local PHONES = 1e9
local phone, step, ends, turn

function init(args)
  phone, step, turn, ends = tonumber(args[1]), tonumber(args[2]), 0, {}
  for index = 3, #args do
    ends[#ends + 1] = args[index] .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
  end
end

function request()
  phone = (phone + step) % PHONES
  turn = turn % #ends + 1
  return string.format("GET /recv.asp?src=13%09d", phone) .. ends[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"replies": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests,
    summary.duration / 1e6,
    latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end

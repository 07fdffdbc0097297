-- The load of scripts/bench, for wrk: rotates through ready requests, each with its own credentials.
-- Arguments: FILE OFFSET STRIDE METHOD PATH [BODY]. A line of FILE is a token, or an API key, a space and a token.
-- Requests are made before the clock starts; a request costs a table look-up. wrk adds the Host header by itself.

local requests, position, stride = {}, 0, 1

function init(args)
  local file, method, path, body = args[1], args[4], args[5], args[6]
  position, stride = tonumber(args[2]), tonumber(args[3])
  for line in io.lines(file) do
    local key, token = line:match("^(%S+) (%S+)$")
    local headers = {
      ["User-Agent"] = "district-dashboard/4.2",
      ["Accept"] = "application/json",
      ["Accept-Encoding"] = "gzip, deflate, br",
      ["Authorization"] = "Bearer " .. (token or line),
      ["x-api-key"] = key,
    }
    if body then
      headers["Content-Type"] = "application/json"
    end
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
  position = position % #requests
end

function request()
  position = (position + stride) % #requests
  return requests[position + 1]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "us": %d, "p50": %d, "p99": %d, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

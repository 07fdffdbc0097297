-- The load of scripts/bench and scripts/soak, for wrk. Arguments are NAME=VALUE:
--   file      a line is a token, or an API key, a space and a token. Requests are made before the clock starts and rotate;
--             one costs a table look-up. `-` reads the standard input meanwhile: a line is a source address, a space and a
--             token, of one request each; no line is kept.
--   offset    where in the file to begin
--   stride    how many lines further each request is
--   method, path, body
--   address   the source address, as a trusted proxy tells it
--   pause     milliseconds that a connection waits before each request
-- wrk adds the Host header by itself.

local option = {}
local requests, position, stride = {}, 0, 1
local head, tail

local function ready(key, address, token)
  local headers = {
    ["User-Agent"] = "district-dashboard/4.2",
    ["Accept"] = "application/json",
    ["Accept-Encoding"] = "gzip, deflate, br",
    ["Authorization"] = token and "Bearer " .. token,
    ["x-api-key"] = key,
    ["x-forwarded-for"] = address,
  }
  if option.body then
    headers["Content-Type"] = "application/json"
  end
  return wrk.format(option.method, option.path, headers, option.body)
end

local function rotate()
  position = (position + stride) % #requests
  return requests[position + 1]
end

local function stream()
  local address, token = io.read("*l"):match("^(%S+) (%S+)$")
  return table.concat({ head, "x-forwarded-for: ", address, "\r\nAuthorization: Bearer ", token, tail })
end

function init(args)
  for _, arg in ipairs(args) do
    local name, value = arg:match("^(%w+)=(.*)$")
    option[name] = value
  end
  if option.pause then
    function delay()
      return tonumber(option.pause)
    end
  end
  if option.file == "-" then
    head, tail = ready(nil, nil, nil):gsub("\r\n\r\n$", "\r\n"), "\r\n\r\n"
    request = stream
    return
  end
  for line in io.lines(option.file) do
    local key, token = line:match("^(%S+) (%S+)$")
    requests[#requests + 1] = ready(key, option.address, token or line)
  end
  position, stride = tonumber(option.offset) % #requests, tonumber(option.stride)
  request = rotate
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "us": %d, "p50": %d, "p99": %d, "refused": %d, "lost": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

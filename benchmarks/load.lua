-- Sends the signed requests of a file one after the other, and reports as one line of JSON.
-- wrk ... -- FILE METHOD SIZE HEAD STAGE
--   FILE  a line per request: path and query, blank, signature
--   HEAD  a file with the headers all requests share, the signature missing at its end
--   STAGE a number of its own for each run against the same server
-- Every body is of SIZE bytes and unlike any other, so that nothing is stored only once.

local requests, count, method, head, filler, stage = {}, 0, nil, nil, "", 0
local next_index, round = 0, 0

function init(arguments)
  method = arguments[2]
  local size = tonumber(arguments[3])
  head = assert(io.open(arguments[4], "rb")):read("*a")
  stage = tonumber(arguments[5])
  for line in io.lines(arguments[1]) do
    count = count + 1
    requests[count] = line
  end
  if method == "PUT" then
    filler = string.rep("S4", math.ceil(size / 2)):sub(1, size - 16)
    head = head:gsub("@LENGTH@", tostring(size))
  end
end

function request()
  next_index = next_index + 1
  if next_index > count then
    next_index, round = 1, round + 1
  end
  local target, signature = requests[next_index]:match("^(%S+) (%S+)$")
  local body = ""
  if method == "PUT" then
    body = string.format("%04x%04x%08x", stage, round, next_index) .. filler
  end
  return method .. " " .. target .. " HTTP/1.1\r\n" .. head .. signature .. "\r\n\r\n" .. body
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end

-- Sends the signed requests of a file one after the other, and reports as one line of JSON.
-- wrk ... -- FILE FILLER READ_HEAD WRITE_HEAD MODE
--   FILE   a line per request: method, path and query, signature, mark, proof
--          (the mark opens a PUT's body; the proof is its hash or checksum, where the mode wants one)
--   FILLER a file with what follows the mark, the same in every body
--   HEADs  files with the headers that all requests without and with a body share; @PROOF@ and
--          the signature, which is missing at the end, are set in here
--   MODE   fresh: a mark is changed each time the list begins anew, so that no body comes twice
--          plain: bodies are as the marks have it
--          chunked: the same in one chunk of aws-chunked, the proof in its trailer

local requests, count, filler, mode = {}, 0, "", "plain"
local read_head, write_before, write_after, chunk_head = "", "", "", ""
local next_index, round = 0, 0
local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

local function read(name)
  return assert(io.open(name, "rb")):read("*a")
end

function init(arguments)
  filler, read_head, mode = read(arguments[2]), read(arguments[3]), arguments[5]
  local write_head = read(arguments[4])
  local from, to = write_head:find("@PROOF@", 1, true)
  if from then
    write_before, write_after = write_head:sub(1, from - 1), write_head:sub(to + 1)
  else
    write_before = write_head
  end
  for line in io.lines(arguments[1]) do
    count = count + 1
    requests[count] = line
  end
  chunk_head = string.format("%x\r\n", 16 + #filler)
  furnished = os.clock()  -- global: read by done(), which runs in a state of its own
end

function request()
  next_index = next_index + 1
  if next_index > count then
    next_index, round = 1, round + 1
  end
  local method, target, signature, mark, proof =
    requests[next_index]:match("^(%S+) (%S+) (%S+) ?(%S*) ?(%S*)$")
  local first = method .. " " .. target .. " HTTP/1.1\r\n"
  if mark == "" then
    return first .. read_head .. signature .. "\r\n\r\n"
  end
  if mode == "fresh" then
    mark = string.format("%04x", round) .. mark:sub(5)
  elseif mode == "chunked" then
    return first .. write_before .. write_after .. signature .. "\r\n\r\n" .. chunk_head .. mark
      .. filler .. "\r\n0\r\nx-amz-checksum-crc32:" .. proof .. "\r\n\r\n"
  end
  return first .. write_before .. proof .. write_after .. signature .. "\r\n\r\n" .. mark .. filler
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d, "client_us": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99),
    (os.clock() - threads[1]:get("furnished")) * 1e6))
end

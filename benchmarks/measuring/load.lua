-- Sends the requests of the file $BENCH_REQUESTS in turn, and prints one line of JSON.
--
-- In a request, @@UNIQUE@@UNIQUE stands for a fresh number, and @@CHAINED@@ for a token that an answer brought: the
-- field $BENCH_CHAIN of each answer is the token of a later request, as with refresh tokens that are good once.

local requests, tokens = dofile(os.getenv("BENCH_REQUESTS"))
local chain = os.getenv("BENCH_CHAIN")
local unique = requests[1]:find("@@UNIQUE@@UNIQUE", 1, true) ~= nil
local count, salt = 0, os.time() % 100000000

request = function()
  count = count + 1
  local text = requests[(count - 1) % #requests + 1]
  if unique then
    text = text:gsub("@@UNIQUE@@UNIQUE", string.format("%08d%08d", salt, count))
  elseif chain then
    local body = text:match("\r\n\r\n(.*)"):gsub("@@CHAINED@@", table.remove(tokens, 1))
    local head = text:match("^(.*\r\n)\r\n"):gsub("Content%-Length: %d+", "Content-Length: " .. #body)
    text = head .. "\r\n" .. body
  end
  return text
end

if chain then
  response = function(_, _, body)
    table.insert(tokens, body:match('"' .. chain .. '":"([^"]+)"'))
  end
end

done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"rate": %.2f, "p50": %.3f, "p99": %.3f, "requests": %d, "errors": %d, "broken": %d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    summary.requests,
    errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end

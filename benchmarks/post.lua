-- wrk's script: POST one file again and again, and say at the end how it went, as a line of JSON.
-- Called as: wrk … -s post.lua URL -- FILE CONTENT_TYPE ACCEPT [CONNECTION]

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  wrk.headers["Content-Type"] = arguments[2]
  wrk.headers["Accept"] = arguments[3]
  if arguments[4] then
    wrk.headers["Connection"] = arguments[4]
  end
  request_bytes = wrk.format()
end

function request()
  return request_bytes
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, ' ..
    '"status": %d, "p50": %d, "p90": %d, "p99": %d, "longest": %d}\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max))
end

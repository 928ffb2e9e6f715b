-- Takes a CloudTrail file, {"Records":[...]}, apart: each of its events becomes a record of its own.
-- What is no such file goes on as it is, digests and notices of SQS among it.

function split(tag, timestamp, record)
    local events = record["Records"]
    if type(events) ~= "table" or #events == 0 then
        return 0, timestamp, record
    end
    for _, event in ipairs(events) do
        if type(event) ~= "table" or (event["eventVersion"] == nil and event["eventName"] == nil) then
            return 0, timestamp, record
        end
    end
    return 2, timestamp, events
end

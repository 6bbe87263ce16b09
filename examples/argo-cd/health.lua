-- The health of a TrainingRun, for Argo CD. Of Lua's libraries it needs only the basic one.
local health = { Complete = "Healthy", Failed = "Degraded", Suspended = "Suspended" }

local function told(reason, message)
  if message == nil or message == "" then return reason end
  return reason .. ": " .. message
end

local status = obj.status or {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" and health[condition.type] ~= nil then
    return { status = health[condition.type], message = told(condition.reason, condition.message) }
  end
end
local waits = status.reason == "WaitingForApproval" and "Suspended" or "Progressing"
return { status = waits, message = told(status.reason or status.phase or "Pending", status.message) }

--- Which agents are here, and which of them a person means.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local operate = require('goalproof.operate')
local plain = require('goalproof.plain')

local M = {}

---@param view goalproof.AgentsView
---@return goalproof.AgentView[]
local function find_here(view)
  return vim.tbl_filter(function(agent)
    return agent.available
  end, view.agents)
end

--- The agent to ask: the one that is named or set, the only one, or the one that the person chooses.
--- Nil where the server knows best: there is a usual one, or none.  Call it in a flow.
---@param call goalproof.Call
---@return string? agent
function M.pick(call)
  local set = require('goalproof.config').get().settings.agent
  local named = call.options.agent or (set ~= '' and set or nil)
  if named then
    return named
  end
  local agents = find_here(operate.operate(call.root, 'agents'))
  local usual = vim.iter(agents):any(function(agent)
    return agent.isDefault
  end)
  if usual or #agents == 0 then
    return nil
  end
  local agent = #agents == 1 and agents[1]
    or flow.choose(agents, 'Which agent?', function(one)
      return plain.line(one.title)
    end)
  return agent.name
end

local known = {} ---@type table<string, string[]>

---@param root string
local function look(root)
  flow.run(function()
    local view = client.try(root, 'agents')
    if view then
      known[root] = vim.tbl_map(function(agent)
        return agent.name
      end, find_here(view))
    end
  end)
end

--- Names of the agents that are here, for completion; waits a moment for them the first time.
---@param root string
---@return string[]
function M.complete(root)
  if client.find(root) then
    look(root)
  end
  if not known[root] then
    vim.wait(500, function()
      return known[root] ~= nil
    end, 20)
  end
  return known[root] or {}
end

return M

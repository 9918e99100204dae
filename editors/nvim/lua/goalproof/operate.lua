--- Operations that a person asked for: when the server refuses one for want of their word, they are
--- asked, and it is tried again.  Everything here is called in a flow.
local client = require('goalproof.client')
local flow = require('goalproof.flow')
local plain = require('goalproof.plain')
local trust = require('goalproof.trust')

local M = {}

local ROUNDS = 3 -- trust, then gates, then the operation itself

--- Asks whether a repository may be executed, and remembers and tells a yes.
---@param root string
function M.ask_trust(root)
  local yes, never = 'Trust this folder', 'Never trust it'
  local prompt = ('Goalproof runs the checks and plans of a repository, as you.\n%s\nTrust it?'):format(
    plain.line(root)
  )
  local answer = flow.choose({ yes, 'Not now', never }, prompt)
  if answer == never then
    trust.forget(root, 'deny')
    client.tell_trust(root)
  end
  if answer ~= yes then
    flow.stop()
  end
  if not trust.allow(root) then
    flow.refuse(('%s could not be noted in the trust database.'):format(plain.line(root)))
  end
  client.tell_trust(root)
end

---@param root string
---@param refusal goalproof.Refusal
local function answer_untrusted(root, refusal)
  if trust.is_denied(root) then
    flow.refuse(refusal.message .. ' You said never; `:Goal trust` changes that.')
  end
  M.ask_trust(root)
end

--- All that a gate makes us run, as one line.
---@param gate goalproof.GateView
---@return string
function M.render_gate(gate)
  local more = {}
  if gate.cwd and gate.cwd ~= '.' then
    more[#more + 1] = 'in ' .. plain.line(gate.cwd)
  end
  if gate.env and #gate.env > 0 then
    more[#more + 1] = 'sets ' .. plain.line(table.concat(gate.env, ', '))
  end
  if type(gate.fix) == 'table' then
    more[#more + 1] = 'fixed by ' .. plain.command(gate.fix)
  end
  local rest = #more > 0 and (' (%s)'):format(table.concat(more, '; ')) or ''
  return plain.command(gate.argv) .. rest
end

---@param gates goalproof.GateView[]
---@return string
local function list_gates(gates)
  local lines = vim.tbl_map(function(gate)
    return ('  %s: %s'):format(plain.line(gate.name), M.render_gate(gate))
  end, gates)
  return table.concat(lines, '\n')
end

---@param root string
---@param refusal goalproof.Refusal
local function answer_unapproved(root, refusal)
  local gates = refusal.data.gates
  local yes = #gates == 1 and 'Approve this command' or ('Approve these %d commands'):format(#gates)
  local prompt = 'Goalproof would judge by\n' .. list_gates(gates) .. '\nRun them?'
  if flow.choose({ yes, 'No' }, prompt) ~= yes then
    flow.stop()
  end
  local digests = vim.tbl_map(function(gate)
    return gate.digest
  end, gates)
  local _, fault = client.try(root, 'trustGate', { digests = digests })
  if fault then
    flow.refuse(fault.message)
  end
end

--- Goals of another place: the person may make them their own.
---@param root string
---@param refusal goalproof.Refusal
local function answer_elsewhere(root, refusal)
  if flow.choose({ 'Adopt', 'No' }, plain.line(refusal.message) .. '\nAdopt them?') ~= 'Adopt' then
    flow.stop()
  end
  local _, fault = client.try(root, 'adopt', vim.empty_dict())
  if fault then
    flow.refuse(fault.message)
  end
end

---@type table<string, fun(root: string, refusal: goalproof.Refusal)>
local ANSWERS = {
  NotAdopted = answer_elsewhere,
  NotTrusted = answer_untrusted,
  GatesNotApproved = answer_unapproved,
}

---@param refusal goalproof.Refusal
---@return string?
local function class_of(refusal)
  return type(refusal.data) == 'table' and refusal.data.class or nil
end

--- Carries out `goal.<operation>` and returns its result; a refusal ends the flow.
---@param root string
---@param operation string In camelCase.
---@param params? table
---@return any
function M.operate(root, operation, params)
  for _ = 1, ROUNDS do
    local result, refusal = client.try(root, operation, params)
    if not refusal then
      return result
    end
    local answer = ANSWERS[class_of(refusal)]
    if not answer then
      flow.refuse(plain.line(refusal.message))
    end
    answer(root, refusal)
  end
  flow.refuse('the server goes on refusing; `:checkhealth goalproof` may say why.')
end

--- Sends a request of goalproof's own; a refusal ends the flow.
---@param root string
---@param method string
---@param params table
---@return any
function M.request(root, method, params)
  local given = vim.tbl_extend('force', { root = vim.uri_from_fname(root) }, params)
  local result, refusal = client.request(root, method, given)
  if refusal then
    flow.refuse(plain.line(refusal.message))
  end
  return result
end

return M

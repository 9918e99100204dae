--- The language server: one client for each git repository, started once, asked politely.
---
--- A server that ends by itself is reported in one message and is not started again until the
--- person says `:Goal restart`: a server that cannot run must not become a loop.
local config = require('goalproof.config')
local flow = require('goalproof.flow')
local trust = require('goalproof.trust')

local M = {}

M.NAME = 'goalproof'
local PATIENCE = 20000 -- milliseconds until a server that does not answer `initialize` is given up
local NEWER = vim.fn.has('nvim-0.11') == 1

---@type table<string, integer>
local running = {} -- root → its client, from start to exit
---@type table<string, string>
local failed = {} -- root → why its server is not started again
---@type table<string, fun(client?: vim.lsp.Client)[]>
local waiting = {} -- root → who waits for its server

---@param client vim.lsp.Client
---@param method string Of the client: `request`, `notify` or `stop`.
local function call(client, method, ...)
  if NEWER then
    return client[method](client, ...)
  end
  return client[method](...)
end

---@type table<string, string>
local roots = {} -- folder → the root found for it; a statusline asks with each redraw

---@type table<string, string>
local owners = {} -- a task's folder → the repository whose goal it belongs to

---@param folder string
---@return string? root
local function find_git(folder)
  roots[folder] = roots[folder] or vim.fs.root(folder, '.git')
  local root = roots[folder]
  return owners[root] or root
end

--- Notes that a task's folder, which is a repository as well, belongs to the goal of another one.
---@param folder string
---@param root string
function M.adopt(folder, root)
  owners[vim.fs.normalize(folder)] = root
end

---@param buffer integer
---@return string? root The folder of the git repository that a file is in.
function M.find_root(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  if vim.bo[buffer].buftype ~= '' or name == '' or name:match('^%a[%w+.-]+://') then
    return nil
  end
  return find_git(vim.fs.dirname(name))
end

--- The repository that a command means: that of the buffer, or of the current folder.
---@return string? root
function M.find_here()
  return vim.b.goalproof_root or M.find_root(0) or find_git(vim.fn.getcwd())
end

---@param root string
---@return vim.lsp.Client?
function M.find(root)
  return vim.iter(vim.lsp.get_clients({ name = M.NAME })):find(function(client)
    return client.config.root_dir == root and not client.is_stopped(client)
  end)
end

---@param client_id integer
---@return string? root
function M.root_of(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  return client and client.config.root_dir
end

--- Why a server cannot be started with this command, nil when it can.
---@param cmd string[]
---@return string?
function M.find_fault(cmd)
  if vim.fn.executable(cmd[1]) == 1 then
    return nil
  end
  return (
    'there is no program `%s`. Install it (`pipx install .` in a clone of Goalproof) or name it: '
    .. "vim.g.goalproof = { cmd = { '/path/to/goalproof', 'lsp' } }."
  ):format(cmd[1])
end

local function release(root, client)
  local waiters = waiting[root] or {}
  waiting[root] = nil
  for _, done in ipairs(waiters) do
    done(client)
  end
end

---@param root string
---@param why string
local function give_up(root, why)
  if not failed[root] then
    flow.say(why, vim.log.levels.ERROR)
  end
  failed[root] = why
  release(root)
end

---@param root string
---@return boolean
function M.has_failed(root)
  return failed[root] ~= nil
end

--- Starts the process.  Its folder is `/`: with `python -m` the folder is searched for modules, and
--- a repository must not supply them.
---@param dispatchers vim.lsp.rpc.Dispatchers
local function spawn(dispatchers)
  local cmd = config.get().cmd
  local ended = dispatchers.on_exit
  local told = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      M.last_exit = signal ~= 0 and ('signal %d'):format(signal) or ('code %d'):format(code)
      ended(0, 15) -- one message is enough: ours
    end,
  })
  return vim.lsp.rpc.start(cmd, told, { cwd = '/' })
end

---@param client vim.lsp.Client
local function on_init(client)
  local root = client.config.root_dir
  running[root], failed[root] = client.id, nil
  vim.schedule(function()
    release(root, client)
  end)
end

local stopping = {} ---@type table<integer, true>

local function on_exit(_, _, client_id)
  local root = M.root_of(client_id)
  if root and running[root] == client_id then
    running[root] = nil
  end
  vim.schedule(function()
    require('goalproof.progress').forget(root)
    if root and not stopping[client_id] and vim.v.exiting == vim.NIL then
      give_up(
        root,
        (
          'the language server ended by itself (%s). `:Goal restart` starts it again;'
          .. ' what it said is in %s.'
        ):format(M.last_exit or '?', require('vim.lsp.log').get_filename())
      )
    end
    stopping[client_id] = nil
  end)
end

---@return lsp.ClientCapabilities
local function capabilities()
  local able = vim.lsp.protocol.make_client_capabilities()
  if vim.fn.has('nvim-0.12') == 0 then
    able.workspace.codeLens = { refreshSupport = true }
  end
  return able
end

--- What the client is made of.  Trust is looked up when the server starts, not when this is read.
---@return vim.lsp.ClientConfig
function M.config()
  return {
    name = M.NAME,
    cmd = spawn,
    root_dir = function(buffer, found)
      local root = M.find_root(buffer)
      if root and not failed[root] then
        found(root)
      end
    end,
    settings = { goalproof = config.for_server() },
    capabilities = capabilities(),
    handlers = require('goalproof.handlers').handlers,
    before_init = function(params, made)
      params.initializationOptions = {
        trusted = trust.is_trusted(made.root_dir),
        settings = config.for_server(),
        clientCommands = { 'goalproof.newGoalFrom', 'goalproof.accept' },
      }
    end,
    on_init = on_init,
    on_attach = function(client, buffer)
      require('goalproof.lens').attach(client, buffer)
    end,
    on_exit = on_exit,
  }
end

---@param root string
---@return vim.lsp.ClientConfig
local function config_for(root)
  local own = NEWER and vim.lsp.config[M.NAME] or M.config()
  local made = vim.deepcopy(own)
  made.root_dir = root
  -- the person may have changed the settings since the table was made
  made.settings = vim.tbl_extend('force', made.settings or {}, { goalproof = config.for_server() })
  made.workspace_folders = { { uri = vim.uri_from_fname(root), name = root } }
  return made
end

--- Starts a client and attaches it to nothing.
---@param made vim.lsp.ClientConfig
---@return integer? client_id
local function start_client(made)
  if NEWER then
    return vim.lsp.start(made, { attach = false })
  end
  return vim.lsp.start_client(made) -- `vim.lsp.start` of 0.10 attaches the current buffer
end

--- Starts the server of `root` unless it runs; tells the person, once, when it cannot be.
---@param root string
---@param buffer? integer A file to attach it to.
function M.start(root, buffer)
  local fault = not running[root] and M.find_fault(config.get().cmd)
  if fault then
    return give_up(root, fault)
  end
  running[root] = running[root] or start_client(config_for(root))
  if buffer and running[root] then
    vim.lsp.buf_attach_client(buffer, running[root])
  end
end

--- Returns the client of a repository, started if need be.  Call it in a flow.
---@param root string
---@return vim.lsp.Client
function M.get(root)
  local client = M.find(root)
  if client then
    return client
  end
  local found = flow.await(function(done)
    local settled = false
    local function settle(started)
      if not settled then
        settled = true
        done(started)
      end
    end
    waiting[root] = waiting[root] or {}
    table.insert(waiting[root], settle)
    failed[root] = nil
    vim.defer_fn(function()
      if not settled then
        give_up(root, 'the language server does not answer; `:Goal restart` starts it anew.')
      end
    end, PATIENCE)
    M.start(root)
  end)
  if not found then
    flow.stop()
  end
  return found
end

---@class goalproof.Refusal
---@field code integer
---@field message string
---@field data? table

--- Sends a request and returns what it is answered with.  Call it in a flow.
---@param root string
---@param method string
---@param params table
---@return any result
---@return goalproof.Refusal? refusal
function M.request(root, method, params)
  local client = M.get(root)
  return flow.await(function(done)
    -- without a buffer, what was typed into any of them is sent first: 0 would leave it out
    local sent = call(client, 'request', method, params, function(refusal, result)
      done(result, refusal)
    end)
    if not sent then
      done(nil, { code = 0, message = 'the language server is gone; `:Goal restart` starts it.' })
    end
  end)
end

--- Carries out `goal.<operation>`; returns its result or what it was refused with.
---@param root string
---@param operation string In camelCase: `verifyProof`.
---@param params? table
---@return any result
---@return goalproof.Refusal? refusal
function M.try(root, operation, params)
  local given = vim.tbl_extend('force', { root = vim.uri_from_fname(root) }, params or {})
  return M.request(root, 'workspace/executeCommand', {
    command = 'goal.' .. operation,
    arguments = { given },
  })
end

--- Tells the server of a repository that the word on it has changed, if one runs.
---@param root string
function M.tell_trust(root)
  local client = M.find(root)
  if client then
    call(client, 'notify', 'goal/didChangeTrust', {
      trusted = trust.is_trusted(root),
      root = vim.uri_from_fname(root),
    })
  end
end

--- Tells every server the settings as they are now.
function M.tell_settings()
  local settings = { goalproof = config.for_server() }
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME })) do
    client.settings = vim.tbl_extend('force', client.settings, settings)
    call(client, 'notify', 'workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Ends the server of `root`, starts it anew and attaches every open file of the repository.
--- Call it in a flow.
---@param root string
function M.restart(root)
  local client = M.find(root)
  if client then
    M.stop(client)
  end
  failed[root] = nil
  M.get(root)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and M.find_root(buffer) == root then
      M.start(root, buffer)
    end
  end
end

--- Ends a client and waits until its process is gone.  Call it in a flow.
---@param client vim.lsp.Client
function M.stop(client)
  stopping[client.id] = true
  call(client, 'stop')
  flow.await(function(done)
    local timer = assert(vim.uv.new_timer())
    local rounds = 0
    timer:start(
      20,
      20,
      vim.schedule_wrap(function()
        rounds = rounds + 1
        local gone = vim.lsp.get_client_by_id(client.id) == nil
        if rounds == 200 and not gone then
          call(client, 'stop', true)
        end
        if timer:is_closing() or not (gone or rounds > 300) then
          return
        end
        timer:close()
        done()
      end)
    )
  end)
end

return M

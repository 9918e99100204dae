-- One command and the start of the server; everything else is loaded when it is first used.
if vim.g.loaded_goalproof then
  return
end
vim.g.loaded_goalproof = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('goalproof: this plugin needs Neovim 0.10 or newer.', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Goal', function(call)
  require('goalproof.commands').run(call)
end, {
  nargs = '*',
  range = true,
  desc = 'State a coding goal, follow it, and take its proved change',
  complete = function(lead, line, position)
    return require('goalproof.commands').complete(lead, line, position)
  end,
})

for _, verb in ipairs({ 'menu', 'run', 'show', 'diff', 'apply', 'undo', 'log', 'pause', 'resume' }) do
  vim.keymap.set({ 'n', 'x' }, ('<Plug>(goalproof-%s)'):format(verb), function()
    require('goalproof.commands').press(verb)
  end, { desc = 'Goal: ' .. verb })
end

require('goalproof.attach').enable()

-- What `vim.lsp.enable('goalproof')` starts (Neovim 0.11 and newer).  Change it with
-- `vim.lsp.config('goalproof', {...})`; Neovim 0.10 starts the same table by hand.
return require('goalproof.client').config()

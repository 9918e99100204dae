"""The names that needed a person before the list of them had a number.

Proofs that say no number were judged by these, and are judged by them again.  Never changed: what
needs a person today is in `protected`.
"""

FIRST = (
    *(".git*", "git~[0-9]", ".hg", ".hgrc", ".goalproof", ".vscode", "*.code-workspace", ".idea"),
    *(".devcontainer", ".devcontainer.json", ".nvim.lua", ".nvimrc", ".exrc", ".vimrc"),
    *(".lvimrc", ".editorconfig", ".env*", ".direnv", ".tool-versions", "mise.toml"),
    *(".mise.toml", ".claude", ".codex", ".cursor", ".cursorrules", ".kimi", ".gemini"),
    *(".amazonq", ".mcp.json", "agents.md", "claude.md", "gemini.md", ".ci", ".circleci"),
    *(".travis.yml", "azure-pipelines.yml", "jenkinsfile", ".husky", ".pre-commit-config.yaml"),
    *(".pre-commit-hooks.yaml", "lefthook.yml", "package.json", ".npmrc", ".yarnrc*", "makefile"),
    *("gnumakefile", "*.mk", "justfile", "taskfile.yml", "taskfile.yaml", "build.rs"),
    *("hatch_build.py", "goalproof.toml", "conftest.py", "pyproject.toml", "setup.cfg"),
    *("setup.py", "tox.ini", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("noxfile.py", "ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".coveragerc", ".flake8"),
    *(".pylintrc", "sitecustomize.py", "usercustomize.py", "*.pth", "*.egg-info", "*.dist-info"),
    *("*.egg-link", "__pycache__", "*.pyc", "*.pyo", "*.pyd", "*.so", "vitest.*"),
    *("vite.config.*", "jest.config.*", "jest.setup.*", ".mocharc.*", "babel.config.*"),
    *(".babelrc*", "tsconfig*.json", "eslint.config.*", ".eslintrc*", ".prettierrc*"),
    *("biome.json*", "prettier.config.*", ".stylelintrc*", "turbo.json", "nx.json", "lerna.json"),
    *("bunfig.toml", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml"),
    *("pnpm-workspace.yaml", "yarn.lock", "bun.lock*", ".pnp.*", "node_modules", ".pnpmfile.cjs"),
    *("pyrightconfig.json", "cargo.toml", "cargo.lock", ".cargo", "rust-toolchain*"),
    *("clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml", "go.mod", "go.sum"),
    *("go.work*", ".justfile", "tox.toml", "setuptests.?s", "setuptests.?sx", "jest.*.?s"),
    *("jest.*.json", "jest.*.?js", ".swcrc", "ava.config.*", "karma.conf.*"),
    *("playwright.config.*", "cypress.config.*", ".taprc", ".c8rc*", ".nycrc*", "deno.json*"),
    *("jsconfig.json", "node.config.json", ".pnpmfile.mjs", "nextest.toml", "uv.lock"),
    *("poetry.lock", "pdm.lock", "pipfile*", "pylock*.toml", "poetry.toml", "uv.toml"),
    *("composer.json", "composer.lock", "gemfile*", "pom.xml", "build.gradle*", "rakefile"),
)

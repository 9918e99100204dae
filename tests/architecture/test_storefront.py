"""Packages that are fronts stay fronts, and questions to the store can be asked of any store."""

from __future__ import annotations

import ast

from tests.architecture.source import ENGINE, Module, read_modules

LIMITS = {
    "goal_engine": 99,
    "goal_engine.dispatch": 10,
    "goal_engine.dispatch.tasks": 10,
}
"""Lines that the `__init__.py` of a package may have."""

WITHOUT_REEXPORTS = ("goal_engine.dispatch", "goal_engine.dispatch.tasks")
WITH_STORE = "_with_store"
EFFECTS = ("append", "load", "open", "read", "run", "save", "write")
"""Verbs that touch the world.  A property may begin with one as an adjective (`open_questions`)."""


def find_storefront_problems(module: Module) -> list[str]:
    """Return how an `__init__.py` has become more than a front."""
    problems = []
    lines = len(module.text.splitlines())
    if lines > LIMITS.get(module.name, lines):
        problems.append(f"{module.name} has {lines} lines, {LIMITS[module.name]} are allowed")
    if module.name in WITHOUT_REEXPORTS:
        problems += [
            f"{module.name}:{node.lineno} re-exports"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            and "__future__" not in ast.unparse(node)
        ]
    return problems


def find_single_queries(module: Module) -> list[str]:
    """Return the queries that lack their other half: public functions that ask `ports` or a store."""
    asks = {
        node.name: node.args.args[0].arg
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and node.args.args
        and (isinstance(node, ast.AsyncFunctionDef) or node.args.args[0].arg in ("ports", "store"))
    }
    plain = {name for name in asks if not name.endswith(WITH_STORE)}
    twins = {name.removesuffix(WITH_STORE) for name in asks.keys() - plain}
    return (
        [f"{name} has no {name}{WITH_STORE}" for name in sorted(plain - twins)]
        + [f"{name}{WITH_STORE} has no {name}" for name in sorted(twins - plain)]
        + [
            f"{name}{WITH_STORE} takes {asks[name + WITH_STORE]}, not a store"
            for name in sorted(twins)
            if asks[name + WITH_STORE] != "store"
        ]
    )


def find_effects(module: Module) -> list[str]:
    """Return the methods of `GoalState` that reach for a store, a path or a loop."""
    classes = [n for n in module.tree.body if isinstance(n, ast.ClassDef) and n.name == "GoalState"]
    if not classes:
        return [f"{module.name} has no class GoalState"]
    return [
        f"GoalState.{node.name} does more than compute"
        for node in ast.walk(classes[0])
        if isinstance(node, ast.AsyncFunctionDef)
        or (
            isinstance(node, ast.FunctionDef)
            and not any(ast.unparse(how) == "property" for how in node.decorator_list)
            and node.name.partition("_")[0] in EFFECTS
        )
    ]


def test_storefronts_are_small_and_export_nothing_of_others():
    problems = [p for module in read_modules(ENGINE) for p in find_storefront_problems(module)]
    assert problems == []


def test_a_grown_storefront_is_found():
    assert find_storefront_problems(Module("goal_engine", "x = 1\n" * 100))
    assert find_storefront_problems(Module("goal_engine.dispatch", "x = 1\n" * 11))
    assert find_storefront_problems(Module("goal_engine.dispatch.tasks", "from .waves import run"))
    assert not find_storefront_problems(Module("goal_engine.dispatch", '"""Waves."""\n'))


def test_each_query_has_a_twin_that_takes_the_store():
    for name in ("queries", "replay"):
        assert find_single_queries(Module(name, (ENGINE / f"{name}.py").read_text())) == []


def test_a_query_without_its_twin_is_found():
    plain = "async def list_goals(ports): ...\n"
    twin = "async def list_goals_with_store(store): ...\n"
    assert find_single_queries(Module("queries", plain))
    assert find_single_queries(Module("queries", twin))
    assert find_single_queries(Module("queries", plain + twin.replace("(store)", "(ports)")))
    assert not find_single_queries(Module("queries", f"{plain}{twin}def find_goal(names): ..."))


def test_the_state_of_a_goal_is_pure_data():
    model = ENGINE / "state" / "model.py"
    assert find_effects(Module("goal_engine.state.model", model.read_text())) == []


def test_a_state_that_saves_itself_is_found():
    assert find_effects(Module("model", "class GoalState:\n    def save(self): ..."))
    assert find_effects(Module("model", "class GoalState:\n    async def refresh(self): ..."))
    assert not find_effects(Module("model", "class GoalState:\n    def ready(self): ..."))
    question = "class GoalState:\n    @property\n    def open_questions(self): ..."
    assert not find_effects(Module("model", question))

"""Answers taken out of a source file, and a student's put in.

A name is that of a function in its module, "adam" or "Dense.backward".  The blank of an optimizer is the body of its
loop: its signature and memory stay, and so does what stands before the loop.  Of any other function it is everything
after the docstring.  Twins go with what they are twins of: a kernel whose answer is taken out runs in NumPy, and a loop
of optimizers/compiled.py disappears.  So does a helper of twins, whole.
"""
import ast
import re
import symtable
import textwrap

# What an answer has no need of: it would be somebody else's.  The jail, not this list, keeps everything else out.
NOT_OURS = ("torch", "jax", "tensorflow", "sklearn", "optax", "autograd", "scipy.optimize", "scipy.sparse.linalg")
ALL_THE_SAME = {"scipy.sparse.linalg.LinearOperator"}  # which solves nothing


class Unusable(ValueError):
    """What was handed in can't be graded, in words for whoever handed it in."""


def found(tree, name):
    """The definition of that name, in a module or a class in it: the last, which is the one that counts."""
    for part in name.split("."):
        tree = next((node for node in reversed(getattr(tree, "body", [])) if getattr(node, "name", None) == part
                     and isinstance(node, (ast.FunctionDef, ast.ClassDef))), None)
    return tree


def loop_of(function):
    """The loop of an optimizer, the last statement of its body, which yields; None for any other function."""
    last = function.body[-1]
    decorators = [getattr(decorator, "func", decorator) for decorator in function.decorator_list]  # or @optimizer(...)
    optimizer = any(getattr(decorator, "id", None) == "optimizer" for decorator in decorators)
    return last if optimizer and isinstance(last, (ast.For, ast.While)) else None


def answer(function):
    """The statements that are blanked, and what stands in their place."""
    loop, title = loop_of(function), function.name
    if loop is not None:
        return loop.body, [
            f'raise NotImplementedError("{title}: the body of this loop is yours to write")', "yield theta"]
    after = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return after, [f'raise NotImplementedError("{title}: everything after its docstring is yours to write")']


def blanked(source, names, wrong=None):
    """The source with these answers taken out; where `wrong` has a text for a name, that stands in its place."""
    edits, tree = [], ast.parse(source)
    for name in names:
        function = found(tree, name)
        if function is None:
            raise ValueError(f"there is no {name} to blank")
        if is_helper(function):
            edits.append((function.decorator_list[0].lineno, function.end_lineno, []))
            continue
        body, placeholder = answer(function)
        lines = (wrong or {}).get(name, "\n".join(placeholder)).splitlines()
        edits.append((body[0].lineno, body[-1].end_lineno, [" " * body[0].col_offset + line for line in lines]))
        edits += twins(tree, name)
    lines = source.splitlines()
    for start, end, text in sorted(edits, reverse=True):
        lines[start - 1:end] = text
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines).rstrip()) + "\n"


def is_helper(function):
    """Is it called by twins, and by nothing else?"""
    return any(ast.unparse(decorator).partition("(")[0] == "helper" for decorator in function.decorator_list)


def twins(tree, name):
    """What has to be changed so that a kernel of that name runs in NumPy: its twin goes, and nothing pays any more."""
    for node in tree.body:
        for decorator in getattr(node, "decorator_list", []):
            text = ast.unparse(decorator)
            if text.startswith(f"{name}.twin"):
                yield decorator.lineno, node.end_lineno, []
            elif node.name == name and text.startswith("kernel("):
                form = ast.unparse(decorator.args[0])
                yield decorator.lineno, decorator.end_lineno, [f"@kernel({form}, pays=lambda *arguments: False)"]


def without_twins(source, methods):
    """optimizers/compiled.py without the loops that are the twins of these methods."""
    lines, tree, texts = source.splitlines(), ast.parse(source), {f"twin_of({method})" for method in methods}
    for node in reversed(tree.body):
        if any(ast.unparse(decorator) in texts for decorator in getattr(node, "decorator_list", [])):
            del lines[node.decorator_list[0].lineno - 1:node.end_lineno]
    return "\n".join(lines) + "\n"


def answered(ours, theirs, name):
    """Our source with the function of that name as it stands in theirs, and with what they wrote for it to call.

    The signature has to be ours.  New functions, classes and constants of theirs, and imports, are put before it.
    """
    try:
        tree = ast.parse(theirs)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        why = getattr(error, "msg", None) or error
        raise Unusable(f"Python cannot read the file{f', line {line}' if line else ''}: {why}") from None
    mine, function = found(ast.parse(ours), name), found(tree, name)
    if not isinstance(function, ast.FunctionDef):
        raise Unusable(f"there is no function {name} in it")
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    if ast.dump(function.args) != ast.dump(mine.args):
        raise Unusable(f"{name} has another signature; it must be def {mine.name}({ast.unparse(mine.args)})")
    known = {*imported(ast.parse(ours)), *ALL_THE_SAME}  # our modules import what other functions need
    for module in set(imported(tree)) - known:
        if any(f"{module}.".startswith(f"{not_ours}.") for not_ours in NOT_OURS):
            raise Unusable(f"it imports {module.rpartition('.')[0] or module}; {name} is to be written with NumPy")
    outer = found(ast.parse(ours), name.split(".")[0])
    start, top = (min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
                  for node in (mine, outer))
    lines, known = ours.splitlines(), {name for node in ast.parse(ours).body for name in bound(node)}
    function.decorator_list = []  # ours stay
    lines[mine.lineno - 1:mine.end_lineno] = textwrap.indent(ast.unparse(function), " " * mine.col_offset).splitlines()
    assert start >= top
    new = map(ast.unparse, called(tree, function, known | {name}))
    return "\n".join([*lines[:top], *new, "", "", *lines[top:]]) + "\n"


def packed(line):
    """A line without blanks and comment, by which it is recognised."""
    return re.sub(r"\s+", "", line.split("  # ")[0])


def same(source, other, name):
    """Is the function of that name the same in both, but for how it is written?"""
    return ast.dump(found(ast.parse(source), name)) == ast.dump(found(ast.parse(other), name))


def imported(tree):
    """What it imports, anywhere: "torch.optim", and of "from torch.optim import Adam" "torch.optim.Adam"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def defined(tree):
    """The names that a module gives something to, at its top."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def bound(node):
    """The names that a statement at the top of a module gives something to, or changes."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, (ast.For, ast.While, ast.If, ast.Try, ast.With)):
        inside = [part for part in ast.walk(node) if isinstance(part, ast.stmt) and part is not node]
        return set().union(*map(bound, inside), (part.id for part in ast.walk(node) if isinstance(
            part, ast.Name) and isinstance(part.ctx, ast.Store)))
    method = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(
        node.value.func, ast.Attribute)
    if isinstance(node, ast.AugAssign) or method:
        target = node.value.func if method else node.target
        while isinstance(target, (ast.Attribute, ast.Subscript)):
            target = target.value
        return {target.id} if isinstance(target, ast.Name) else set()  # TABLE.append(1)
    return set(defined(ast.Module([node], [])))


def free(node):
    """The names that a statement takes from the top of its module: not those that a function gives itself."""
    def ours(table, top):
        for symbol in table.get_symbols():
            if symbol.is_global() or top and symbol.is_referenced():
                yield symbol.get_name()
        for inner in table.get_children():
            yield from ours(inner, False)

    try:
        return set(ours(symtable.symtable(ast.unparse(node), "an answer", "exec"), True))
    except SyntaxError as error:
        raise Unusable(f"Python cannot read {getattr(node, 'name', 'a line')}: {error.msg}") from None


def called(tree, function, known):
    """What a module has at its top that an answer needs, directly or not, and that is not `known` where it will stand.

    Of the package's own names those that are known are not imported again: their modules may import each other.
    """
    there, found, todo = {}, set(), [function]
    for node in tree.body:
        for name in bound(node):
            there.setdefault(name, []).append(node)
    needed = set()
    while todo:
        used = free(todo.pop()) | {"*"}
        new = {node for name in used - needed for node in there.get(name, []) if node is not function
               and (isinstance(node, (ast.Import, ast.ImportFrom)) or not bound(node) & known)} - found
        needed |= used
        found |= new
        todo += new
    for node in tree.body:
        if node not in found or isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if any("twin" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", [])):
            continue  # of what has none here
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "numopt":
            names = [alias for alias in node.names if (own := alias.asname or alias.name) == "*"
                     or own in needed - known]
            if names:
                yield ast.ImportFrom(node.module, names, node.level)
        else:
            yield node
